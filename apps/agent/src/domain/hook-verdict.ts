import { STATUS } from '#kernel/status.js';

/** How a hook's process ended. */
export type HookEnd =
  | { readonly type: 'exited'; readonly code: number }
  | { readonly type: 'killed'; readonly signal: string }
  | { readonly type: 'timed out'; readonly afterSeconds: number }
  | { readonly type: 'stopped' }
  | { readonly type: 'not started'; readonly why: string };

export interface HookVerdict {
  /** 0, or the field's code for a hook that failed. */
  readonly status: number;
  readonly message: string;
  /** Whether the hook that comes after the backup has to run behind it. */
  readonly undo: boolean;
}

/**
 * What the end of the hook before a backup means. One that says itself that it failed (an exit status) has undone
 * what it did; one that was cut short may have frozen something, so the hook after the backup runs all the same.
 */
export function verdictBefore(script: string, end: HookEnd): HookVerdict {
  switch (end.type) {
    case 'exited': {
      const status = end.code === 0 ? STATUS.ok : STATUS.startNotifyFailed;
      return {
        status,
        message: status === STATUS.ok ? '' : told(script, end),
        undo: status === STATUS.ok,
      };
    }
    case 'not started':
      return { status: STATUS.startNotifyFailed, message: told(script, end), undo: false };
    case 'killed':
      return { status: STATUS.startNotifyFailed, message: told(script, end), undo: true };
    case 'timed out':
      return { status: STATUS.startNotifyTimedOut, message: told(script, end), undo: true };
    case 'stopped':
      return { status: STATUS.cancelled, message: told(script, end), undo: true };
    default:
      return end satisfies never;
  }
}

/** What the end of the hook after a backup means: 0, 75 or 77. */
export function verdictAfter(script: string, end: HookEnd): Omit<HookVerdict, 'undo'> {
  if (end.type === 'exited' && end.code === 0) return { status: STATUS.ok, message: '' };
  return {
    status: end.type === 'timed out' ? STATUS.endNotifyTimedOut : STATUS.commandFailed,
    message: told(script, end),
  };
}

function told(script: string, end: HookEnd): string {
  switch (end.type) {
    case 'exited':
      return `The hook ${script} ended with exit status ${end.code}.`;
    case 'killed':
      return `The hook ${script} was killed by ${end.signal}.`;
    case 'timed out':
      return `The hook ${script} did not end within ${end.afterSeconds} s and was killed.`;
    case 'stopped':
      return `The hook ${script} was stopped with its job.`;
    case 'not started':
      return `The hook ${script} cannot be run: ${end.why}`;
    default:
      return end satisfies never;
  }
}
