/** Every violation of the layer rules in `src/` and `native/` of `root` (default: this package), a sentence each. */
export function checkLayers(root?: string): string[]
