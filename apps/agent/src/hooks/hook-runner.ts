import { Injectable } from '@nestjs/common';
import type { JobHook } from '#contracts/jobs/hooks.js';
import { AgentConfig } from '../config.js';
import type { HookEnd } from '../domain/hook-verdict.js';
import { HookFolder, HookRefused } from './hook-folder.js';
import { runHook } from './run-hook.js';

/** Where commands are looked for that a hook calls. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a hook gets to know of the backup, and nothing else: none of the agent's own variables. */
export interface HookContext {
  readonly job: number;
  readonly policy: string;
  readonly schedule?: string | undefined;
  /** How the backup ended; for the hook behind it. */
  readonly status?: number | undefined;
}

export interface HookEvents {
  readonly signal?: AbortSignal | undefined;
  readonly onStarted?: ((pid: number) => void) | undefined;
  readonly onLine: (line: string) => void;
}

/** Runs commands of this client's hook folder. */
@Injectable()
export class HookRunner {
  private readonly folder: HookFolder;

  constructor(private readonly config: AgentConfig) {
    this.folder = new HookFolder(config.hooks, process.getuid?.() ?? 0);
  }

  /** Why a hook could not be run now; undefined if it could. */
  async objection({ script }: JobHook): Promise<string | undefined> {
    const found = await this.find(script);
    return typeof found === 'string' ? undefined : found.why;
  }

  async run(
    { script, timeoutSeconds }: JobHook,
    context: HookContext,
    events: HookEvents,
  ): Promise<HookEnd> {
    const path = await this.find(script);
    if (typeof path !== 'string') return path;
    return runHook({ path, timeoutSeconds, environment: this.environment(context), ...events });
  }

  private async find(script: string): Promise<string | Extract<HookEnd, { type: 'not started' }>> {
    try {
      return await this.folder.find(script);
    } catch (error) {
      if (!(error instanceof HookRefused)) throw error;
      return { type: 'not started', why: error.message };
    }
  }

  private environment({ job, policy, schedule, status }: HookContext): Record<string, string> {
    return {
      PATH,
      HOLDFAST_CLIENT: this.config.client,
      HOLDFAST_JOB: String(job),
      HOLDFAST_POLICY: policy,
      ...(schedule === undefined ? {} : { HOLDFAST_SCHEDULE: schedule }),
      ...(status === undefined ? {} : { HOLDFAST_STATUS: String(status) }),
    };
  }
}
