// Run in the guest: has shadow.c begin. The mark is a long no-op with SEAL as its displacement.
int main(void) {
  __asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 'S', 'E', 'A', 'L'");
  return 0;
}
