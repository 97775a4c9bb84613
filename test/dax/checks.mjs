// One boot: what only DAX can show, and the tests, doctor and the demo on ext4 and xfs with DAX.
import { Machine } from './machine.mjs'
import { guestScript, makeImage } from './lab.mjs'

// Left out: what expects tmpfs under /dev/shm, where the DAX file system is mounted here, or the speed of a CPU.
const nativeFilter = [
  'Region.*:Create.*:PopulateTest.*:GuardTest.*:Mapping.*:CommitSafety.*:PutCost.*:Seal.RecordsAlternate*:StoreModel.Small*',
  'Region.TheMappingFollowsTheDomain:Region.GivesNoLessThanRequired:Region.SaysWhatItIs:Mapping.SharedSyncIsRefusedWithoutDax:GuardTest.CostsNanosecondsAndNoSystemCall',
].join('-')

const puts = 1_000_000
const warmUp = 200_000

const commands = (fileSystem, journal) => `
device=$(image_devices | sed -n ${fileSystem === 'ext4' ? 1 : 2}p)
make_file_system ${fileSystem} $device && mount_dax ${fileSystem} $device || exit 1
echo "mounted $(grep "^$device " /proc/mounts)"
say experiment ${fileSystem}
# The kernel writes back what has been dirty for 30 s, and write-protects it: then there is a fault for each 2 MiB again.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
"$native"/sealog_seal_experiment /mnt/pmem/experiment ${fileSystem} ${journal} populated sync quiet ${puts} ${warmUp} || failed=1
echo 500 >/proc/sys/vm/dirty_writeback_centisecs
say doctor ${fileSystem}
node dist/cli/main.js doctor /mnt/pmem | sed 's/^/doctor ${fileSystem}: /'
say api ${fileSystem}
node --test-reporter=tap test/dax/guest/api.mjs /mnt/pmem ${fileSystem} ${fileSystem === 'ext4' ? '/mnt/never /mnt/virtio /mnt/tmpfs' : '/mnt/xfs-never'} || failed=1
say native ${fileSystem}
mkdir /mnt/pmem/scratch
mount --bind /mnt/pmem/scratch /dev/shm
"$native"/sealog_tests --gtest_color=no --gtest_brief=1 --gtest_filter='${nativeFilter}' || failed=1
umount /dev/shm
${fileSystem === 'ext4' ? 'say demo\nnode demo/run.mjs --words 2000 --kills 1 --dir /mnt/pmem | cat || failed=1' : ''}
say unmount ${fileSystem}
umount /mnt/pmem || failed=1`

/** @returns figures @throws Error with the guest's output if a test failed, or something was not as it must be */
export async function runChecks(lab, tell) {
  const images = [
    makeImage(lab, 'ext4.image', 768),
    makeImage(lab, 'xfs.image', 768),
    makeImage(lab, 'never.image', 320),
    makeImage(lab, 'xfs-never.image', 320),
  ]
  const virtio = makeImage(lab, 'virtio.image', 256)
  const script = `
failed=0
cd $checkout
hasten_xfs_log
set -- $(image_devices)
make_file_system ext4 $3 && mount_dax ext4 $3 /mnt/never dax=never || exit 1
make_file_system xfs $4 && mount_dax xfs $4 /mnt/xfs-never dax=never || exit 1
make_file_system ext4 $(virtio_device) && mount_dax ext4 $(virtio_device) /mnt/virtio || exit 1
mkdir -p /mnt/tmpfs
${commands('ext4', '/proc/fs/jbd2/${device##*/}-8/info')}
${commands('xfs', '/proc/fs/xfs/stat')}
exit $failed`
  const machine = new Machine(lab, {
    name: 'checks',
    commands: guestScript(lab, script),
    images,
    modules: 'xfs,pmem',
    devices: ['-object', `memory-backend-file,id=virtio,share=on,mem-path=${virtio},size=${256 * 2 ** 20}`].concat(
      '-device',
      'virtio-pmem-pci,memdev=virtio,id=virtio-pmem',
    ),
  })
  const output = await machine.finished()
  tell(output.match(/^(?:mounted|fact|doctor|experiment) .*$/gm).join('\n'))
  const numbers = (pattern) => [...output.matchAll(pattern)].map(([, number]) => Number(number))
  const sum = (list) => list.reduce((total, each) => total + each, 0)
  const experiments = [...output.matchAll(/^experiment (.*)$/gm)].map(([, json]) => JSON.parse(json))
  const problems = []
  for (const { fs, domain, alignedBytes, openFaults, faults, commits, puts: done } of experiments) {
    const must = (truth, text) => truth || problems.push(`${fs}: ${text}`)
    must(domain === 'pmem', `the domain is ${domain}`)
    must(alignedBytes === 64 * 2 ** 20, `only ${alignedBytes} bytes in pieces of 2 MiB`)
    // 32 pieces, each a fault for reading and one for writing at most, and the process's own.
    must(openFaults < 200, `${openFaults} faults to open and populate 32 pieces of 2 MiB`)
    must(done === puts && faults === 0, `${faults} faults in ${done} puts`)
    must(commits === 0, `${commits} journal commits in ${done} puts`)
  }
  if (experiments.length !== 2) problems.push('an experiment did not run')
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return {
    api: sum(numbers(/^# pass (\d+)$/gm)),
    native: sum(numbers(/^\[ {2}PASSED {2}\] (\d+) tests?\.$/gm)),
    puts: sum(experiments.map((each) => each.puts)),
    faults: sum(experiments.map((each) => each.faults)),
    journalCommits: sum(experiments.map((each) => each.commits)),
  }
}
