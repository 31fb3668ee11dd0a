import type { MountRequest } from '#contracts/media/library.js';
import type { Clock } from '#kernel/clock.js';
import { Cancelled, NotFound, Unavailable } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { STATUS } from '#kernel/status.js';
import type { WantedVolume } from '#storage/library-books/choose-volume.js';
import type { MountDesk } from '#storage/sequential/drive-desk.js';
import { MountRefused } from '#storage/sequential/sequential-errors.js';
import { jobAtWork, type JobAtWork } from './job-at-work.js';

/** Volumes that a message names. */
const NAMED_MAX = 5;

export interface MountRequestsOptions {
  readonly pool: string;
  readonly clock: Clock;
  /** How long an operator has for an answer. */
  readonly timeoutMs: number;
}

interface Waiting {
  readonly request: MountRequest;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The volumes that jobs wait for and that are not in the library. A request ends by an operator's
 * answer, by a volume that comes, when its time is over or when its job is. Without a job nobody is
 * asked: that the volume is away is then an answer, and whoever wants it tries again later.
 */
export class MountRequests implements MountDesk {
  private readonly waiting = new Map<string, Waiting>();

  constructor(private readonly options: MountRequestsOptions) {}

  async need(wanted: readonly WantedVolume[]): Promise<void> {
    const names = namesOf(wanted);
    const job = jobAtWork();
    if (!job) throw new Unavailable(`volume ${names} is not in the library`, STATUS.mediaOpenError);
    job.log('warning', `waiting for volume ${names}: it is not in the library`);
    const over = job.waitFor(`volume ${names}`);
    try {
      await this.untilAnswered(job, wanted);
    } finally {
      over();
    }
    job.log('info', `something changed in the library: looking for volume ${names} again`);
  }

  list(): MountRequest[] {
    return [...this.waiting.values()].map(({ request }) => request);
  }

  has(requestId: string): boolean {
    return this.waiting.has(requestId);
  }

  /** The operator will not bring it: the job ends. */
  cancel(requestId: string, reason: string): void {
    const { request, reject } = this.find(requestId);
    const why = reason === '' ? '' : ` (${reason})`;
    const text = `error requesting media (tpreq): the mount of volume ${namesOf(request.volumes)}`;
    reject(
      new MountRefused(STATUS.mediaRequestFailed, `${text} was cancelled by an operator${why}`),
    );
  }

  /** Something came into the library: everybody looks again. */
  arrived(): void {
    for (const { resolve } of [...this.waiting.values()]) resolve();
  }

  private find(requestId: string): Waiting {
    const found = this.waiting.get(requestId);
    if (found) return found;
    throw new NotFound(
      'mount request',
      requestId,
      STATUS.notFound,
      'See "holdfast library mounts".',
    );
  }

  private async untilAnswered(
    { job, signal }: JobAtWork,
    volumes: readonly WantedVolume[],
  ): Promise<void> {
    const { pool, clock, timeoutMs } = this.options;
    const now = clock.now();
    const request = { requestId: uuidv7(now), pool, volumes: [...volumes], job };
    const names = namesOf(volumes);
    let end: () => void = () => undefined;
    const answered = new Promise<void>((resolve, reject) => {
      const late = `timed out waiting for media manager to mount volume: ${names}. Put it into the library and run the job again.`;
      const timer = setTimeout(
        () => reject(new MountRefused(STATUS.mountTimedOut, late)),
        timeoutMs,
      );
      const stop = () => reject(new Cancelled());
      signal.addEventListener('abort', stop, { once: true });
      end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.waiting.delete(request.requestId);
      };
      const since = now.toISOString();
      this.waiting.set(request.requestId, { request: { ...request, since }, resolve, reject });
    });
    try {
      if (signal.aborted) throw new Cancelled();
      await answered;
    } finally {
      end();
    }
  }
}

function namesOf(volumes: readonly WantedVolume[]): string {
  const names = volumes.slice(0, NAMED_MAX).map(({ label }) => label);
  const more = volumes.length > NAMED_MAX ? ` or ${volumes.length - NAMED_MAX} others` : '';
  return `${names.join(' or ')}${more}`;
}
