#!/usr/bin/env node
/**
 * `npm test [-- JEST ARGUMENTS]`: set-up, then the whole suite. What Jest says passes through as it
 * comes; the last line is `N passed, N failed`, counted from Jest's own result. A test file that
 * could not run counts as a failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { CHECKOUT, setUpOrExit } from '../deploy/setup.mjs';

/** After its result Jest should end by itself; what is left open by then is a failure, not a hang. */
const EXIT_SECONDS_MAX = 30;

await setUpOrExit();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-result-'));
const resultFile = join(folder, 'result.json');
const { code, hung } = await runJest(process.argv.slice(2));
const { passed, failed } = count(code, hung);
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function runJest(args) {
  const jest = spawn(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
      // Jest keeps what every test file has loaded: with less room its workers end up collecting garbage.
      '--max-old-space-size=8192',
      ...['--import', pathToFileURL(join(CHECKOUT, 'test/open-resources.mjs')).href],
      join(CHECKOUT, 'node_modules/jest/bin/jest.js'),
      ...['--reporters', 'default', '--reporters', join(CHECKOUT, 'test/stuck-files.mjs')],
      ...['--json', '--outputFile', resultFile, ...args],
    ],
    { cwd: CHECKOUT, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal signals us both; either way Jest ends first, and the last line is still ours.
    process.on(signal, () => jest.kill(signal));
  }
  return new Promise((resolve) => {
    let hung = false;
    let secondsWithResult = 0;
    const watch = setInterval(() => {
      secondsWithResult = existsSync(resultFile) ? secondsWithResult + 1 : 0;
      if (secondsWithResult === EXIT_SECONDS_MAX) {
        hung = true;
        console.log('Jest does not end: a test has left something open.');
        jest.kill('SIGUSR2');
      } else if (secondsWithResult > EXIT_SECONDS_MAX) {
        jest.kill('SIGKILL');
      }
    }, 1000);
    jest.on('exit', (status, signal) => {
      clearInterval(watch);
      resolve({ code: status ?? 128 + (constants.signals[signal] ?? 0), hung });
    });
  });
}

function count(code, hung) {
  if (!existsSync(resultFile)) {
    return { passed: 0, failed: 1 };
  }
  const result = JSON.parse(readFileSync(resultFile, 'utf8'));
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites + (hung ? 1 : 0);
  // Jest knows reasons of its own to fail, such as a pattern that no test matches.
  return { passed: result.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
}
