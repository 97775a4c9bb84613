/** One process of the campaign: checks what it is told, and says how that goes. */
import { check, type CheckOptions } from './check.ts'

const options = JSON.parse(process.argv[2]!) as Omit<CheckOptions, 'onRun'>
let runs = 0
const onRun = (): void => {
  if (++runs % 50 === 0) process.send?.({ runs })
}
const result = await check({ ...options, onRun })
process.send?.({ runs, result })
process.disconnect()
