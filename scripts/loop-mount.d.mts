export function run(program: string, ...args: string[]): string
export function loopMount(
  scratch: string,
  type: 'ext4' | 'xfs',
  bytes: number,
  ...options: string[]
): { readonly directory: string; readonly remove: () => void }
