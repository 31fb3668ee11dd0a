import type { JobOrigin, JobState, JobType } from '../job.js';

/** The numbers that the field knows the states by. */
export const JOB_STATE_NUMBERS: Readonly<Record<JobState, number>> = {
  queued: 0,
  active: 1,
  'waiting-for-retry': 2,
  suspended: 4,
  incomplete: 5,
  done: 3,
};

/** The numbers that the field knows the types by. */
export const JOB_TYPE_NUMBERS: Readonly<Record<JobType, number>> = {
  backup: 0,
  restore: 2,
  verify: 3,
  duplicate: 4,
};

/** The numbers of the field's job subtypes. */
export const JOB_ORIGIN_NUMBERS: Readonly<Record<JobOrigin, number>> = {
  immediate: 0,
  scheduled: 1,
  user: 2,
};
