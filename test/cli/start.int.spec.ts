import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';

const BUNDLE = join(checkoutFolder(), 'dist/cli/holdfast.cjs');
const NOT_RUNNING = 69;

describe('the command line in one file', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('takes what was compiled when it was built', () => {
    expect(start(BUNDLE)).toEqual({ exitCode: NOT_RUNNING, rejected: 'false' });
  });

  it('comes as it was written, beyond ASCII, too', () => {
    const bundle = join(folder, 'holdfast.cjs');
    writeFileSync(bundle, "process.exitCode = /^µ█$/.test('\\u00b5\\u2588') ? 0 : 1;");
    expect(start(bundle)).toEqual({ exitCode: 0, rejected: 'undefined' });
  });

  it('runs without it', () => {
    const bundle = join(folder, 'holdfast.cjs');
    copyFileSync(BUNDLE, bundle);
    expect(start(bundle)).toEqual({ exitCode: NOT_RUNNING, rejected: 'undefined' });
  });

  it('runs where another version of V8 has compiled it, or nothing that can be read', () => {
    const bundle = join(folder, 'holdfast.cjs');
    copyFileSync(BUNDLE, bundle);
    writeFileSync(`${bundle}.compiled`, Buffer.alloc(1000, 7));
    expect(start(bundle)).toEqual({ exitCode: NOT_RUNNING, rejected: 'true' });
  });

  /** `holdfast jobs` where no cluster is, and whether V8 has rejected what was compiled. */
  function start(bundle: string) {
    const runBundle = join(checkoutFolder(), 'bin/run-bundle.js');
    const program = `
      const script = require(${JSON.stringify(runBundle)}).runBundle(${JSON.stringify(bundle)});
      process.on('exit', () => process.stdout.write(String(script.cachedDataRejected)));`;
    const args = ['--eval', program, '--', 'holdfast', 'jobs', '--data', join(folder, 'none')];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { exitCode: status, rejected: stdout };
  }
});
