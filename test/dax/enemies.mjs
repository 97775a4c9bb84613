// One boot: the seal's enemies (guest/enemies.mjs) on ext4 and xfs with DAX.
import { guestScript, makeImage } from './lab.mjs'
import { Machine } from './machine.mjs'

/** @returns figures @throws Error with the guest's output if a test failed */
export async function runEnemies(lab, tell) {
  const fileSystems = ['ext4', 'xfs-reflink']
  const images = fileSystems.map((name) => makeImage(lab, `enemies-${name}.image`, 320))
  const rounds = fileSystems.map(
    (name, i) => `device=$(image_devices | sed -n ${i + 1}p)
make_file_system ${name} $device && mount_dax ${name} $device || exit 1
say enemies ${name}
node --test-reporter=tap test/dax/guest/enemies.mjs /mnt/pmem ${name} || failed=1
umount /mnt/pmem`,
  )
  const commands = `failed=0\ncd $checkout\n${rounds.join('\n')}\nexit $failed`
  const machine = new Machine(lab, {
    name: 'enemies',
    commands: guestScript(lab, commands),
    images,
  })
  const output = await machine.finished()
  tell(output.match(/^(?:ok|@@) .*$/gm).join('\n'))
  return { enemies: [...output.matchAll(/^# pass (\d+)$/gm)].reduce((sum, [, passed]) => sum + Number(passed), 0) }
}
