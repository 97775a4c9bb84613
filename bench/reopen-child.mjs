// For the cells `reopenclean` and `reopenkilled`: either writes until it is killed, or opens and reads one key.
import { loadAdapter } from './adapters/index.mjs'
import { keyAt, makeBatch, makeValues } from './lib/data.mjs'
import { permutation } from './lib/random.mjs'

process.once('message', async ({ what, engine: name, mode, count, writesMax, directory }) => {
  const adapter = await loadAdapter(name)
  if (what === 'write') {
    const engine = await adapter.open(directory, { mode, values: 'binary', writesMax })
    const order = permutation(count, process.pid)
    const values = makeValues()
    process.send('ready')
    for (let from = 0; ; from = (from + 100) % (count - 100))
      await engine.batch(makeBatch(order, from, from + 100, values, 0))
  }
  // Its code is loaded; the store is not.
  const begin = performance.now()
  const engine = await adapter.open(directory, { mode, values: 'binary', writesMax, patient: false })
  const openMs = performance.now() - begin
  const value = await engine.get(keyAt(1))
  const firstMs = performance.now() - begin
  if (value?.length !== 100) throw new Error('the first key is gone')
  await engine.close()
  process.send({ openMs, firstMs }, () => process.disconnect())
})
