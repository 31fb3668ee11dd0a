/**
 * Every stream and every fixed consumer, as data. `messaging/topology.ts` makes what is missing and
 * compares what is there; it deletes none, and changes no more than what loses no message.
 *
 * The commit stream refuses a second message on a subject (the fragment's id is in it) and is full
 * by pushing back: `discard: new` per subject, deletion and purge denied. No stream here has
 * work-queue retention, which deletes on ack.
 */
export interface StreamSpec {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly description: string;
  readonly discard: 'old' | 'new';
  readonly perSubjectMax?: number;
  readonly discardNewPerSubject?: boolean;
  readonly denyDeletion: boolean;
  readonly ageMaxMs: number;
  readonly bytesMax: number;
  readonly messageBytesMax: number;
}

export interface ConsumerSpec {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string;
  readonly ackWaitMs: number;
  readonly unackedMax: number;
  /** `new`: only what comes after the consumer was made. */
  readonly from: 'all' | 'new';
}

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

export const commitStream: StreamSpec = {
  name: 'HF_FRAG_COMMIT',
  subjects: ['hf.int.v1.frag.commit.>'],
  description: 'Sealed fragments on their way to the catalog',
  discard: 'new',
  perSubjectMax: 1,
  discardNewPerSubject: true,
  denyDeletion: true,
  // What the catalog has taken stays as long, and takes room. What it could not take within a day is offered
  // again by the media server, whose journal has it.
  ageMaxMs: DAY_MS,
  bytesMax: 512 * MIB,
  messageBytesMax: 64 * 1024,
};

export const receiptStream: StreamSpec = {
  name: 'HF_FRAG_RECEIPT',
  subjects: ['hf.int.v1.frag.receipt.>'],
  description: "The catalog's verdicts on their way to the media servers; the last one counts",
  discard: 'old',
  perSubjectMax: 1,
  denyDeletion: true,
  ageMaxMs: 7 * DAY_MS,
  bytesMax: 256 * MIB,
  messageBytesMax: 64 * 1024,
};

export const deleteStream: StreamSpec = {
  name: 'HF_FRAG_DELETE',
  subjects: ['hf.int.v1.frag.delete.>'],
  description: 'Granted deletions on their way to the media servers; sent again until reported',
  discard: 'old',
  perSubjectMax: 1,
  denyDeletion: true,
  ageMaxMs: 7 * DAY_MS,
  bytesMax: 256 * MIB,
  messageBytesMax: 64 * 1024,
};

export const taskStream: StreamSpec = {
  name: 'HF_TASK',
  subjects: ['hf.int.v1.task.>'],
  description:
    'Parts of jobs on their way to media servers and agents; the oldest are of attempts long over',
  discard: 'old',
  denyDeletion: false,
  ageMaxMs: DAY_MS,
  bytesMax: 256 * MIB,
  messageBytesMax: MIB,
};

/**
 * How far a running job has come (`job.progressed`) is not among them: with a hundred running jobs it would
 * drive out everything else within the hour.
 */
const KEPT_OF_JOBS = ['queued', 'active', 'retrying', 'suspended', 'resumed', 'incomplete', 'done'];

export const eventStream: StreamSpec = {
  name: 'HF_EVENT',
  subjects: [
    'hf.evt.v1.allocation.>',
    'hf.evt.v1.copy.>',
    'hf.evt.v1.fragment.>',
    'hf.evt.v1.image.>',
    ...KEPT_OF_JOBS.map((happened) => `hf.evt.v1.job.${happened}.>`),
    'hf.evt.v1.media.>',
    'hf.evt.v1.unit.>',
  ],
  description: 'Public events, CloudEvents 1.0',
  discard: 'old',
  denyDeletion: true,
  ageMaxMs: 7 * DAY_MS,
  bytesMax: 512 * MIB,
  messageBytesMax: MIB,
};

export const STREAMS: readonly StreamSpec[] = [
  commitStream,
  receiptStream,
  deleteStream,
  taskStream,
  eventStream,
];

const FOUR_BATCHES = 1_024;

/** The catalog takes commits in batches of up to 256. */
export const catalogCommits: ConsumerSpec = {
  stream: commitStream.name,
  durable: 'catalog',
  filter: 'hf.int.v1.frag.commit.>',
  ackWaitMs: 60_000,
  unackedMax: FOUR_BATCHES,
  from: 'all',
};

/** The job manager hears when a waiting job got its resources ... */
export const jobsGrants: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'jobs-grants',
  filter: 'hf.evt.v1.allocation.granted.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

/** ... and when an image is complete. */
export const jobsImages: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'jobs-images',
  filter: 'hf.evt.v1.image.completed.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

/** ... or a further copy of one. */
export const jobsCopies: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'jobs-copies',
  filter: 'hf.evt.v1.copy.completed.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

/** The policy service recalculates due times when a job ends. */
export const policyJobs: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'policy-jobs',
  filter: 'hf.evt.v1.job.done.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

/** ... and when one is incomplete, to have it gone on with. */
export const policyIncomplete: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'policy-incomplete',
  filter: 'hf.evt.v1.job.incomplete.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

/** ... and when one waits to run, which somebody may have asked for past the scheduler. */
export const policyQueued: ConsumerSpec = {
  stream: eventStream.name,
  durable: 'policy-queued',
  filter: 'hf.evt.v1.job.queued.>',
  ackWaitMs: 30_000,
  unackedMax: 256,
  from: 'new',
};

export const CONSUMERS: readonly ConsumerSpec[] = [
  catalogCommits,
  jobsGrants,
  jobsImages,
  jobsCopies,
  policyJobs,
  policyIncomplete,
  policyQueued,
];

/** What a media server listens to; it makes the consumer itself, under its own name only. */
export function mediaTasks(media: string): ConsumerSpec {
  return hostTasks('media', media);
}

export function agentTasks(client: string): ConsumerSpec {
  return hostTasks('agent', client);
}

export function mediaReceipts(media: string): ConsumerSpec {
  return {
    stream: receiptStream.name,
    durable: `media-${media}`,
    filter: `hf.int.v1.frag.receipt.${media}.>`,
    ackWaitMs: 30_000,
    unackedMax: FOUR_BATCHES,
    from: 'all',
  };
}

export function mediaDeletes(media: string): ConsumerSpec {
  return {
    stream: deleteStream.name,
    durable: `media-${media}`,
    filter: `hf.int.v1.frag.delete.${media}.>`,
    ackWaitMs: 60_000,
    unackedMax: 256,
    from: 'all',
  };
}

function hostTasks(role: 'media' | 'agent', token: string): ConsumerSpec {
  return {
    stream: taskStream.name,
    durable: `${role}-${token}`,
    filter: `hf.int.v1.task.${role}.${token}.>`,
    ackWaitMs: 30_000,
    unackedMax: 64,
    from: 'all',
  };
}
