import { describe, expect, it } from '@jest/globals';

import { statusText } from '#kernel/status.js';
import { verdictAfter, verdictBefore, type HookEnd } from './hook-verdict.js';

const failed: HookEnd = { type: 'exited', code: 3 };
const killed: HookEnd = { type: 'killed', signal: 'SIGSEGV' };
const late: HookEnd = { type: 'timed out', afterSeconds: 300 };
const stopped: HookEnd = { type: 'stopped' };
const absent: HookEnd = { type: 'not started', why: 'there is no such file.' };
const done: HookEnd = { type: 'exited', code: 0 };

describe('the hook before a backup', () => {
  it.each([
    [done, 0, true],
    [failed, 73, false],
    [absent, 73, false],
    [killed, 73, true],
    [late, 74, true],
    [stopped, 150, true],
  ])('that ended with %j gives %i, and the one after it runs: %s', (end, status, undo) => {
    expect(verdictBefore('freeze.sh', end)).toMatchObject({ status, undo });
  });

  it('says what went wrong', () => {
    expect(verdictBefore('freeze.sh', failed).message).toBe(
      'The hook freeze.sh ended with exit status 3.',
    );
    expect(verdictBefore('freeze.sh', late).message).toContain('did not end within 300 s');
  });
});

describe('the hook after a backup', () => {
  it.each([
    [done, 0],
    [failed, 77],
    [killed, 77],
    [stopped, 77],
    [absent, 77],
    [late, 75],
  ])('that ended with %j gives %i', (end, status) => {
    expect(verdictAfter('thaw.sh', end)).toMatchObject({ status });
  });
});

it('the codes have their texts', () => {
  expect([73, 74, 75, 77].map(statusText)).toEqual([
    'bpstart_notify failed',
    'client timed out waiting for bpstart_notify to complete',
    'client timed out waiting for bpend_notify to complete',
    'execution of the specified system command returned a nonzero status',
  ]);
});
