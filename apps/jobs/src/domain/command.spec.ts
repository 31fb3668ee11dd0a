import { describe, expect, it } from '@jest/globals';
import { after, answers, backup, NOW, parent, restore } from '../testing/sample-jobs.js';
import { refusalText, verdictOf, type Command, type Verdict } from './command.js';
import { decide } from './decide.js';
import type { Job, Step } from './job.js';

const its = answers();
const running = after(backup, its.granted('m1'), its.begun());
const last = { ...running, failures: 2 } as Job;
const weighing = after(last, its.silent('media'));

/** A job at each step. */
const AT: Readonly<Record<Step, Job>> = {
  planning: restore,
  allocating: backup,
  beginning: after(backup, its.granted('m1')),
  running,
  verifying: after(running, its.media, its.agent),
  retrying: after(running, its.silent('media')),
  weighing,
  suspended: after(running, { type: 'suspend' }),
  incomplete: after(weighing, its.letGo, its.drained(), its.weighed(3)),
  gathering: parent,
  releasing: after(running, { type: 'cancel' }),
  done: after(running, { type: 'cancel' }, its.released),
};

/** Where each command takes a job; `-` where nothing changes, `!` where it is refused. */
const TABLE: Readonly<Record<Step, Readonly<Record<Exclude<Command, 'restart'>, string>>>> = {
  planning: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'planning' },
  allocating: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'allocating' },
  beginning: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'beginning' },
  running: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'running' },
  verifying: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'verifying' },
  retrying: { cancel: 'releasing', suspend: 'suspended', resume: 'retrying', priority: 'retrying' },
  weighing: { cancel: 'releasing', suspend: 'suspended', resume: '-', priority: 'weighing' },
  suspended: { cancel: 'releasing', suspend: '-', resume: 'retrying', priority: 'suspended' },
  incomplete: { cancel: 'releasing', suspend: '!', resume: 'retrying', priority: 'incomplete' },
  gathering: { cancel: 'gathering', suspend: '-', resume: '-', priority: 'gathering' },
  releasing: { cancel: '-', suspend: '!', resume: '-', priority: '!' },
  done: { cancel: '-', suspend: '!', resume: '!', priority: '!' },
};

const STEPS = Object.keys(AT) as Step[];

describe('a command', () => {
  it.each(STEPS)('changes a job at %s as the table says', (step) => {
    expect(AT[step].step).toBe(step);
    for (const command of ['cancel', 'suspend', 'resume', 'priority'] as const) {
      const wanted = TABLE[step][command];
      const input = command === 'priority' ? { type: command, priority: 5 } : { type: command };
      const { job } = decide(AT[step], input, NOW);
      const isSame = job === AT[step] || step === 'gathering';
      expect([command, isSame && wanted.length === 1 ? wanted : job.step]).toEqual([
        command,
        wanted,
      ]);
      expect(verdictOf(AT[step], command) === 'refused').toBe(wanted === '!');
    }
  });

  it('to restart is never refused: what is open is cancelled', () => {
    const verdicts = new Set<Verdict>(STEPS.map((step) => verdictOf(AT[step], 'restart')));
    expect([...verdicts]).toEqual(['does']);
  });

  it('that is refused says what to do instead', () => {
    for (const step of STEPS) {
      for (const command of ['suspend', 'resume', 'priority'] as const) {
        if (verdictOf(AT[step], command) !== 'refused') continue;
        expect(refusalText(AT[step], command)).toMatch(/holdfast jobs|decides nothing/);
      }
    }
  });

  it('keeps the outcome of a job that is ending', () => {
    const ending = after(running, its.reported('media', { status: 129, message: 'full' }));
    expect(after(ending, { type: 'cancel' }, its.released).outcome?.status).toBe(129);
  });

  it('ends every open job with 150, and tells those who work for it', () => {
    for (const step of STEPS) {
      if (step === 'gathering' || step === 'releasing' || step === 'done') continue;
      const { job, effects } = decide(AT[step], { type: 'cancel' }, NOW);
      expect(job.outcome).toEqual({ status: 150, message: '' });
      expect(effects.some(({ type }) => type === 'cancel-tasks')).toBe(step === 'running');
      expect(after(job, its.released)).toMatchObject({ step: 'done', pause: null, retry: null });
    }
  });
});
