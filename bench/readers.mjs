// The cell of two workers that read the same store at the same time, against one.
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { loadAdapter } from './adapters/index.mjs'
import { keyAt } from './lib/data.mjs'
import { uniformOrder } from './lib/random.mjs'

const self = fileURLToPath(import.meta.url)

async function reader({ task, number }) {
  const adapter = await loadAdapter(task.engine)
  const engine = await adapter.open(task.directory, { mode: task.mode, values: 'binary', readOnly: true })
  const order = uniformOrder(task.ops, task.count, number)
  let bytes = 0
  const pass = (seconds) => {
    const begin = performance.now()
    const deadline = begin + seconds * 1000
    let ops = 0
    let now = begin
    while (now < deadline) {
      for (let i = 0; i < 64; i++) bytes += engine.get(keyAt(order[(ops + i) % order.length])).length
      ops += 64
      now = performance.now()
    }
    return (ops * 1000) / (now - begin)
  }
  pass(task.seconds / 5)
  parentPort.postMessage('ready')
  await new Promise((resolve) => parentPort.once('message', resolve))
  const perSecond = pass(task.seconds)
  if (bytes === 0) throw new Error('nothing was read')
  // Closed once both have ended: some engines close for all.
  parentPort.postMessage(perSecond)
  await new Promise((resolve) => parentPort.once('message', resolve))
  await engine.close()
}

async function rateOf(task, count) {
  const workers = Array.from(
    { length: count },
    (_, number) => new Worker(self, { workerData: { task, number, reader: true } }),
  )
  const next = (worker) =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  try {
    await Promise.all(workers.map(next))
    const rates = workers.map(next)
    for (const worker of workers) worker.postMessage('go')
    const sum = (await Promise.all(rates)).reduce((a, b) => a + b)
    for (const worker of workers) worker.postMessage('end')
    return sum
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

export async function run(task) {
  const one = await rateOf(task, 1)
  let two
  try {
    two = await rateOf(task, 2)
  } catch (cause) {
    throw Object.assign(new Error(`two workers cannot open it: ${cause.message.split('\n')[0]}`, { cause }), {
      skip: true,
    })
  }
  return { value: two / one, opsPerSecond: two, extra: { one } }
}

if (workerData?.reader) await reader(workerData)
