import { Injectable } from '@nestjs/common';
import { catalogFragments, type FragmentView } from '#contracts/image.js';
import type { TaskResult } from '#contracts/job.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { AgentTask } from '#contracts/task.js';
import type { JobReporter } from '#messaging/job-reporter.js';
import { Requests } from '#messaging/requests.js';
import { FragmentRoutes } from './fragment-routes.js';
import type { RestoreImage } from './restore/restore-source.js';
import { runRestore, type RestoreResult } from './restore/run-restore.js';

type Task = Extract<AgentTask, { type: 'restore' }>;

/** A restore, as the agent's part of a job. */
@Injectable()
export class RestoreTask {
  constructor(private readonly requests: Requests) {}

  async run(task: Task, reporter: JobReporter, signal: AbortSignal): Promise<TaskResult> {
    const routes = new FragmentRoutes(task.sources, signal);
    try {
      const chain: RestoreImage[] = [];
      for (const imageId of task.chain) {
        const fragments = await this.fragmentsOf(imageId);
        routes.add(fragments);
        chain.push({ imageId, fragments });
      }
      reporter.log('info', 'begin restoring');
      const result = await runRestore({
        chain,
        sources: routes,
        selection: task.paths.map(withoutSlash),
        destination: task.destination,
        overwrite: task.overwrite,
        signal,
        onProgress: ({ files, bytes }) => reporter.progress({ files, bytes }),
      });
      return report(result, reporter);
    } finally {
      await routes.close();
    }
  }

  /** All fragments of an image's first copy. */
  private async fragmentsOf(imageId: string): Promise<FragmentView[]> {
    const all: FragmentView[] = [];
    for (;;) {
      const { fragments } = await this.requests.call(catalogFragments, {
        imageId,
        afterNumber: all.length,
        limit: PAGE_ROWS_MAX,
      });
      all.push(...fragments);
      if (fragments.length < PAGE_ROWS_MAX) return all;
    }
  }
}

function report(result: RestoreResult, reporter: JobReporter): TaskResult {
  const { status, files, bytes, notes } = result;
  const severity = status === 0 ? 'info' : 'warning';
  for (const note of notes) reporter.log(severity, note);
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
