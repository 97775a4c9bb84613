// A CommonJS program: `require` has to give the same module as `import`.
const sealog = require('sealog')

import('sealog').then((imported) => {
  const same = Object.keys(imported).every((name) => name === 'module.exports' || sealog[name] === imported[name])
  process.stdout.write(same && Object.keys(sealog).length > 0 ? 'same' : 'different')
})
