import { Injectable, Logger } from '@nestjs/common';
import { fromPathText } from '#archive/path-text.js';
import { fragmentSuspect } from '#contracts/catalog/copy.js';
import type { TaskResult } from '#contracts/job.js';
import type { AgentTask } from '#contracts/task.js';
import { messageOf } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import { AgentConfig } from './config.js';
import { FragmentRoutes } from './fragment-routes.js';
import type { RefusedSource } from './restore/fall-over.js';
import type { RestoreImage } from './restore/restore-source.js';
import { runRestore, type RestoreResult } from './restore/run-restore.js';
import { askForImage } from './restore-chain.js';

type Task = Extract<AgentTask, { type: 'restore' }>;

/** Bad fragments of one restore that are told of; a medium that is lost has many. */
const REFUSED_TOLD_MAX = 1_000;
const REASON_LENGTH_MAX = 2_000;

/** A restore, as the agent's part of a job. */
@Injectable()
export class RestoreTask {
  private readonly logger = new Logger('restore');

  constructor(
    private readonly requests: Requests,
    private readonly config: AgentConfig,
  ) {}

  async run(task: Task, reporter: JobReporter, signal: AbortSignal): Promise<TaskResult> {
    const routes = new FragmentRoutes(task.sources, signal);
    let refusals = 0;
    let said = 0;
    try {
      const chain: RestoreImage[] = [];
      const streams = streamsOf(task);
      for (const [at, imageId] of task.chain.entries()) {
        const found = await askForImage(this.requests, imageId, (id) => routes.leadTo(id));
        const image = { ...found, stream: streams[at] ?? 0 };
        routes.add(image);
        chain.push(image);
      }
      reporter.log('info', 'begin restoring');
      const result = await runRestore({
        chain,
        reader: routes,
        selection: task.paths.map(withoutSlash),
        destination: fromPathText(task.destination),
        overwrite: task.overwrite,
        signal,
        onProgress: ({ files, bytes }) => reporter.progress({ files, bytes }),
        onSurveyed: (notes) => {
          said = notes.length;
          for (const note of notes) reporter.log('warning', note);
        },
        onRefused: (refused) => {
          if (++refusals <= REFUSED_TOLD_MAX) this.tell(refused, reporter);
        },
      });
      return report(result, said, reporter);
    } finally {
      await routes.close();
    }
  }

  /** Whoever reads the log must know, and the catalog has the fragment checked. The restore goes on. */
  private tell(refused: RefusedSource, reporter: JobReporter): void {
    const { fragment, source, reason, damaged, next } = refused;
    const what = `fragment ${fragment.number} copy ${source.copy} on ${source.mediaId}`;
    if (next) {
      const instead = `reading copy ${next.copy} on ${next.mediaId}`;
      reporter.log('warning', `${what} cannot be read (${reason}): ${instead}`);
    }
    if (!damaged) return;
    this.requests
      .call(fragmentSuspect, {
        fragmentId: source.fragmentId,
        reason: reason.slice(0, REASON_LENGTH_MAX),
        reporter: `agent of ${this.config.client}`,
      })
      .catch((error: unknown) => {
        this.logger.warn(`${what} is suspect, and was not checked: ${messageOf(error)}`);
      });
  }
}

/** The stream of each image of the chain; a task without streams has one. */
function streamsOf({ streams = [] }: Task): number[] {
  return streams.flatMap((images, stream) => Array.from({ length: images }, () => stream));
}

/** @param said how many of the notes, from the first one on, the log has already */
function report(result: RestoreResult, said: number, reporter: JobReporter): TaskResult {
  const { status, files, bytes, notes } = result;
  const severity = status === STATUS.ok ? 'info' : 'warning';
  for (const note of notes.slice(said)) reporter.log(severity, note);
  reporter.log('info', `end restoring; ${files} files, ${bytes} bytes`);
  reporter.progress({ files, bytes });
  const message = notes.length > 0 ? `${notes[0]}${more(notes.length - 1)}` : '';
  return { status, message, files, bytes };
}

function more(count: number): string {
  return count > 0 ? ` (and ${count} more; see the job's log)` : '';
}

/** In an archive, paths have no leading slash; people type one. */
function withoutSlash(path: string): string {
  return path.replace(/^\/+/, '').replace(/\/+$/, '');
}
