'use strict';
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');

/**
 * Runs a bundle as Node would run a CommonJS file, with what V8 compiled of it when it was built (`keepCompiled`). Where
 * there is none, and where another version of V8 made it, V8 compiles it now, which only takes longer.
 *
 * Node's own cache (`module.enableCompileCache`) begins with Node 22, and needs a folder that it may write to.
 */
function runBundle(file) {
  const script = new Script(wrap(readFileSync(file, 'utf8')), {
    filename: file,
    cachedData: readIfThere(compiledOf(file)),
  });
  const module = { exports: {} };
  const run = script.runInThisContext();
  run(module.exports, createRequire(file), module, file, dirname(file));
  return script;
}

/** Runs a bundle, and keeps what V8 has compiled of it by the end of this process. */
function keepCompiled(file) {
  const script = runBundle(file);
  process.on('exit', () => {
    writeFileSync(`${compiledOf(file)}.part`, script.createCachedData());
    renameSync(`${compiledOf(file)}.part`, compiledOf(file));
  });
}

const compiledOf = (file) => `${file}.compiled`;

function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

module.exports = { runBundle, keepCompiled };
