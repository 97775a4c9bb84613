// A QEMU plugin that keeps, beside the NVDIMM's backing file ("live"), a second image ("shadow") of what a power cut is
// sure to leave.
//
// A line of 64 bytes reaches the shadow only by CLWB, CLFLUSHOPT or a non-temporal store, and then SFENCE or MFENCE; by
// CLFLUSH at once. What is copied at the fence is the line as it was when it was written back. Two rules are stricter
// than real CPUs, so that a missing fence shows: locked instructions do not count as fences, and the kernel's fences
// count only for the kernel's lines (there is one in every interrupt).
//
// Arguments: live=PATH,shadow=PATH,counts=PATH,base=ADDRESS. Both images have the same size, and are mapped shared:
// they are whole whenever the process stops. Needs one CPU, the direct map at 0xffff888000000000 (nokaslr, no 5-level
// page tables), and the plugin interface of QEMU 9.1 to 10.0. The declarations below are those of qemu-plugin.h and
// GLib that are used; no headers are needed.
//
// Nothing is watched until the guest runs arm.c: what is in the live image then is taken for durable, and copied. So
// the guest boots at full speed.
//
// A write-back names a virtual address, and the interface cannot translate one. So each store teaches on which page of
// the NVDIMM a user page lies. A write-back of a page that was not stored to is ignored: nothing on it can be lost.
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_plugin_register;
enum { kNoRegisters = 0, kReadRegisters = 1 };
enum { kStores = 2 };
typedef struct {
  char* data;
  unsigned length;
} GByteArray;
typedef struct {
  struct qemu_plugin_register* handle;
  const char* name;
  const char* feature;
} RegisterDescriptor;

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned));
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, void (*)(unsigned, void*), int flags, void*);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn*,
                                      void (*)(unsigned, qemu_plugin_meminfo_t, uint64_t, void*), int flags, int what,
                                      void*);
void qemu_plugin_reset(qemu_plugin_id_t, void (*)(qemu_plugin_id_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn*, void*, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn*);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
struct qemu_plugin_hwaddr* qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr*);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr*);
GByteArray* qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register*, GByteArray*);
GByteArray* g_byte_array_new(void);
GByteArray* g_byte_array_set_size(GByteArray*, unsigned);

EXPORTED int qemu_plugin_version = 3;

enum { kLineBytes = 64, kPageBits = 12, kPageSlots = 1 << 18 };
static const uint64_t kDirectMap = 0xffff888000000000;

static uint64_t base = 0x100000000;
static uint64_t image_bytes;
static uint8_t* live;
static uint8_t* shadow;

// Read by the host while the machine runs.
static struct Counts {
  uint64_t stores, non_temporal, written_back, unknown_page, fences, lines_made_durable, armed;
} * counts;

// A write-back that waits for a fence.
struct Pending {
  uint64_t number;  // in the order of writing back
  uint64_t offset;
  uint32_t bytes;
  uint8_t content[kLineBytes];
};
static struct Queue {
  struct Pending* items;
  size_t count, capacity;
} queues[2];  // the kernel's, the programs'
static uint64_t write_backs;
// By line: the number of the write-back that is in the shadow. An older one that is fenced later changes nothing.
static uint64_t* durable_number;

// User pages seen to lie on the NVDIMM.
static struct Page { uint64_t user, image; } pages[kPageSlots];

static struct qemu_plugin_register* registers[16];
static GByteArray* register_value;

static struct Page* SlotOf(uint64_t address) { return &pages[(address >> kPageBits) & (kPageSlots - 1)]; }

static bool IsUser(uint64_t address) { return address >> 47 == 0; }

static void WriteBack(struct Queue* queue, uint64_t offset, uint32_t bytes) {
  while (bytes != 0) {
    uint32_t piece = kLineBytes - (offset & (kLineBytes - 1));
    if (piece > bytes) piece = bytes;
    if (queue->count == queue->capacity) {
      queue->capacity = queue->capacity == 0 ? 4096 : queue->capacity * 2;
      queue->items = realloc(queue->items, queue->capacity * sizeof *queue->items);
      if (queue->items == NULL) abort();
    }
    struct Pending* p = &queue->items[queue->count++];
    p->number = ++write_backs;
    p->offset = offset;
    p->bytes = piece;
    memcpy(p->content, live + offset, piece);
    offset += piece;
    bytes -= piece;
  }
}

static void Commit(struct Queue* queue) {
  for (size_t i = 0; i < queue->count; ++i) {
    const struct Pending* p = &queue->items[i];
    uint64_t* number = &durable_number[p->offset / kLineBytes];
    if (p->number < *number) continue;
    *number = p->number;
    memcpy(shadow + p->offset, p->content, p->bytes);
  }
  counts->lines_made_durable += queue->count;
  queue->count = 0;
}

static void OnFence(unsigned cpu, void* user) {
  (void)cpu;
  counts->fences++;
  Commit(&queues[0]);
  if (user != NULL) Commit(&queues[1]);
}

static void OnStore(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void* non_temporal) {
  (void)cpu;
  struct qemu_plugin_hwaddr* physical = qemu_plugin_get_hwaddr(info, address);
  if (physical == NULL || qemu_plugin_hwaddr_is_io(physical)) return;
  const uint64_t offset = qemu_plugin_hwaddr_phys_addr(physical) - base;
  if (offset >= image_bytes) return;
  counts->stores++;
  if (IsUser(address)) *SlotOf(address) = (struct Page){address >> kPageBits, offset >> kPageBits};
  if (non_temporal != NULL) {
    counts->non_temporal++;
    WriteBack(&queues[IsUser(address)], offset, 1u << qemu_plugin_mem_size_shift(info));
  }
}

// The operand of a write-back.
struct Operand {
  int base, index;  // numbers of registers, or one of these:
  int scale;
  int64_t displacement;
  uint64_t next;  // address of the next instruction
  bool at_once;   // CLFLUSH
};
enum { kNoRegister = -1, kInstructionPointer = -2 };

static uint64_t ReadRegister(int number) {
  if (number == kNoRegister) return 0;
  uint64_t value = 0;
  g_byte_array_set_size(register_value, 0);
  qemu_plugin_read_register(registers[number], register_value);
  memcpy(&value, register_value->data, register_value->length < 8 ? register_value->length : 8);
  return value;
}

static void OnWriteBack(unsigned cpu, void* data) {
  (void)cpu;
  const struct Operand* o = data;
  uint64_t address = (uint64_t)o->displacement + (o->base == kInstructionPointer ? o->next : ReadRegister(o->base)) +
                     (ReadRegister(o->index) << o->scale);
  address &= ~(uint64_t)(kLineBytes - 1);
  uint64_t offset;
  if (IsUser(address)) {
    const struct Page* page = SlotOf(address);
    if (page->user != address >> kPageBits) {
      counts->unknown_page++;
      return;
    }
    offset = page->image << kPageBits | (address & ((1 << kPageBits) - 1));
  } else {
    offset = address - kDirectMap - base;
  }
  if (offset >= image_bytes) return;
  counts->written_back++;
  if (o->at_once) {
    memcpy(shadow + offset, live + offset, kLineBytes);
    durable_number[offset / kLineBytes] = ++write_backs;
  } else {
    WriteBack(&queues[IsUser(address)], offset, kLineBytes);
  }
}

// Decodes ModRM, SIB and displacement, which begin at `at`.
static struct Operand* DecodeOperand(const uint8_t* at, uint8_t rex, uint64_t next) {
  struct Operand* o = calloc(1, sizeof *o);
  if (o == NULL) abort();
  o->index = kNoRegister;
  o->next = next;
  const int mode = *at >> 6;
  const int low = *at++ & 7;
  bool wide = mode == 2;
  if (low == 4) {
    const uint8_t sib = *at++;
    o->scale = sib >> 6;
    const int index = (sib >> 3 & 7) | (rex & 2 ? 8 : 0);
    if (index != 4) o->index = index;
    o->base = (sib & 7) | (rex & 1 ? 8 : 0);
    if ((sib & 7) == 5 && mode == 0) {
      o->base = kNoRegister;
      wide = true;
    }
  } else if (low == 5 && mode == 0) {
    o->base = kInstructionPointer;
    wide = true;
  } else {
    o->base = low | (rex & 1 ? 8 : 0);
  }
  if (wide) {
    int32_t displacement;
    memcpy(&displacement, at, sizeof displacement);
    o->displacement = displacement;
  } else if (mode == 1) {
    o->displacement = (int8_t)*at;
  }
  return o;
}

static bool IsPrefix(uint8_t byte) {
  static const uint8_t kPrefixes[] = {0x66, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
  return memchr(kPrefixes, byte, sizeof kPrefixes) != NULL;
}

static void Instrument(struct qemu_plugin_insn* instruction) {
  uint8_t bytes[16] = {0};
  const size_t length = qemu_plugin_insn_data(instruction, bytes, 15);
  const uint8_t* at = bytes;
  bool operand_size = false;
  for (; IsPrefix(*at); ++at) operand_size |= *at == 0x66;
  const uint8_t rex = (*at & 0xf0) == 0x40 ? *at++ : 0;
  bool non_temporal = false;
  if (at[0] == 0x0f && at[1] == 0xae) {
    const bool memory = at[2] >> 6 != 3;
    const int operation = at[2] >> 3 & 7;
    // 0F AE /6, /7 with registers: MFENCE, SFENCE. 66 0F AE /6, /7 with memory: CLWB, CLFLUSHOPT. 0F AE /7: CLFLUSH.
    if (!memory && !operand_size && operation >= 6) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, OnFence, kNoRegisters,
                                             IsUser(qemu_plugin_insn_vaddr(instruction)) ? counts : NULL);
    } else if (memory && (operation == 7 || (operand_size && operation == 6))) {
      struct Operand* operand = DecodeOperand(at + 2, rex, qemu_plugin_insn_vaddr(instruction) + length);
      operand->at_once = !operand_size;
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, OnWriteBack, kReadRegisters, operand);
      return;
    }
  } else if (at[0] == 0x0f) {
    non_temporal = at[1] == 0xc3 || at[1] == 0xe7 || at[1] == 0x2b;  // MOVNTI, MOVNTDQ, MOVNTPS
  } else if (at[0] == 0xc5 || at[0] == 0xc4) {
    const uint8_t opcode = at[0] == 0xc5 ? at[2] : at[3];
    non_temporal = opcode == 0xe7 || opcode == 0x2b;  // VMOVNTDQ, VMOVNTPS
  }
  qemu_plugin_register_vcpu_mem_cb(instruction, OnStore, kNoRegisters, kStores, non_temporal ? counts : NULL);
}

static void OnTranslation(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  const size_t n = qemu_plugin_tb_n_insns(block);
  for (size_t i = 0; i < n; ++i) Instrument(qemu_plugin_tb_get_insn(block, i));
}

static void OnReset(qemu_plugin_id_t id) {
  for (uint64_t at = 0; at < image_bytes; at += 1 << kPageBits) {
    if (memcmp(shadow + at, live + at, 1 << kPageBits) != 0) memcpy(shadow + at, live + at, 1 << kPageBits);
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslation);
}

static void OnArm(unsigned cpu, void* id) {
  (void)cpu;
  counts->armed++;
  // Has all code translated anew.
  qemu_plugin_reset((qemu_plugin_id_t)(uintptr_t)id, OnReset);
}

// Looks for the mark of arm.c.
static void OnEarlyTranslation(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  static const uint8_t kMark[8] = {0x0f, 0x1f, 0x84, 0x00, 'S', 'E', 'A', 'L'};
  const size_t n = qemu_plugin_tb_n_insns(block);
  for (size_t i = 0; i < n; ++i) {
    struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    uint8_t bytes[sizeof kMark] = {0};
    qemu_plugin_insn_data(instruction, bytes, sizeof bytes);
    if (memcmp(bytes, kMark, sizeof kMark) == 0) {
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, OnArm, kNoRegisters, (void*)(uintptr_t)id);
    }
  }
}

static void OnCpu(qemu_plugin_id_t id, unsigned cpu) {
  (void)id, (void)cpu;
  static const char* const kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  const GByteArray* all = qemu_plugin_get_registers();
  const RegisterDescriptor* descriptors = (const void*)all->data;
  for (unsigned i = 0; i < all->length; ++i) {
    for (int k = 0; k < 16; ++k) {
      if (strcmp(descriptors[i].name, kNames[k]) == 0) registers[k] = descriptors[i].handle;
    }
  }
  for (int k = 0; k < 16; ++k) {
    if (registers[k] == NULL) abort();
  }
  register_value = g_byte_array_new();
}

static void* MapFile(const char* path, size_t bytes) {
  const int fd = open(path, O_RDWR | O_CREAT, 0600);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat) != 0 || ((size_t)stat.st_size < bytes && ftruncate(fd, (off_t)bytes) != 0)) {
    perror(path);
    exit(1);
  }
  void* mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) {
    perror(path);
    exit(1);
  }
  close(fd);
  return mapped;
}

static const char* Argument(int count, char** arguments, const char* name) {
  const size_t length = strlen(name);
  for (int i = 0; i < count; ++i) {
    if (strncmp(arguments[i], name, length) == 0 && arguments[i][length] == '=') return arguments[i] + length + 1;
  }
  fprintf(stderr, "shadow: %s= is missing\n", name);
  exit(1);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int count, char** arguments) {
  (void)info;
  const char* path = Argument(count, arguments, "live");
  struct stat stat_of_live;
  if (stat(path, &stat_of_live) != 0) return 1;
  image_bytes = (uint64_t)stat_of_live.st_size;
  base = strtoull(Argument(count, arguments, "base"), NULL, 0);
  live = MapFile(path, image_bytes);
  durable_number = calloc(image_bytes / kLineBytes, sizeof *durable_number);
  if (durable_number == NULL) return 1;
  shadow = MapFile(Argument(count, arguments, "shadow"), image_bytes);
  counts = MapFile(Argument(count, arguments, "counts"), sizeof *counts);
  qemu_plugin_register_vcpu_init_cb(id, OnCpu);
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnEarlyTranslation);
  return 0;
}
