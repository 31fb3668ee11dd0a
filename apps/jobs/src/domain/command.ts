import type { Job, Step } from './job.js';

/** What a person asks of a job. Restarting makes a new job and, here, cancels the old one. */
export type Command = 'cancel' | 'suspend' | 'resume' | 'restart' | 'priority';

/**
 * `does`: the command changes the job. `is so`: it is, or will be by itself, what the command asks
 * for. `refused`: it cannot be done any more, and whoever asked is told.
 */
export type Verdict = 'does' | 'is so' | 'refused';

type Row = Readonly<Record<Command, Verdict>>;

const OPEN: Row = {
  ...{ cancel: 'does', suspend: 'does', resume: 'is so', restart: 'does', priority: 'does' },
};

/** What each command means to a job at each step. A parent hands them on to its children. */
const VERDICTS: Readonly<Record<Step, Row>> = {
  planning: OPEN,
  allocating: OPEN,
  beginning: OPEN,
  running: OPEN,
  verifying: OPEN,
  retrying: { ...OPEN, resume: 'does' },
  weighing: OPEN,
  suspended: { ...OPEN, suspend: 'is so', resume: 'does' },
  incomplete: { ...OPEN, suspend: 'refused', resume: 'does' },
  gathering: { ...OPEN, resume: 'does' },
  // The end is decided and comes within seconds.
  releasing: {
    ...{ cancel: 'is so', suspend: 'refused', resume: 'is so', restart: 'does' },
    priority: 'refused',
  },
  done: {
    ...{ cancel: 'is so', suspend: 'refused', resume: 'refused', restart: 'does' },
    priority: 'refused',
  },
};

export function verdictOf(job: Pick<Job, 'step'>, command: Command): Verdict {
  return VERDICTS[job.step][command];
}

/** Why a command is refused, and what to do instead. */
export function refusalText(job: Pick<Job, 'job' | 'step'>, command: Command): string {
  switch (job.step) {
    case 'incomplete':
      return `Job ${job.job} is incomplete and stands still already. Go on with: holdfast jobs resume ${job.job}`;
    case 'releasing':
      return `Job ${job.job} is ending. Run it again with: holdfast jobs restart ${job.job}`;
    default:
      return command === 'priority'
        ? `Job ${job.job} is done: its priority decides nothing any more.`
        : `Job ${job.job} is done. Run it again with: holdfast jobs restart ${job.job}`;
  }
}
