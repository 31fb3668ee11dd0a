import { Injectable, Logger } from '@nestjs/common';
import type { mediaCollect } from '#contracts/media.js';
import type { ResponseOf } from '#contracts/contract.js';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { MediaConfig } from '../config.js';
import { MediaNode } from '../media-node.js';
import type { Volume } from '../volumes/volume.js';

const NOT_REACHED = 'others took all the time of this round; the next one begins behind them';
const UNFINISHED = 'the time of this round was over; the next one goes on where this one ended';

type Outcome = ResponseOf<typeof mediaCollect>['volumes'][number];

/** A round that takes longer is ended between two containers; the next one goes on. */
const ROUND_MS_MAX = 10 * 60_000;
/** Whoever resumes a backup may want what it had sent by then. */
const SPARED_MS = 60 * 60_000;

/**
 * Removes what no fragment needs any more from volumes that share chunks: now and then, and when
 * somebody asks. One collection at a time; backups, restores and deletions run on meanwhile.
 */
@Injectable()
export class ChunkCollections implements Startable {
  private readonly logger = new Logger('chunks');
  private readonly stopping = new AbortController();
  private readonly rounds: Repeating;
  private turn: Promise<unknown> = Promise.resolve();
  private isWanted = false;
  /** The volume that was collected last. */
  private latest: string | undefined;

  constructor(
    private readonly node: MediaNode,
    private readonly clock: Clock,
    private readonly config: MediaConfig,
  ) {
    this.rounds = new Repeating({
      everyMs: () => (this.isWanted ? 0 : this.config.collectEveryMs),
      work: () => this.round(),
      onError: (error) => this.logger.warn(`goes on later: ${messageOf(error)}`),
    });
  }

  start(): void {
    if (this.volumes().length > 0) this.rounds.start();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.rounds.stop();
    await this.turn;
  }

  /** Something was deleted for good: the next round comes soon. */
  want(): void {
    this.isWanted = true;
  }

  /**
   * Collects now what there is.
   * @param sparedSince What was written since then is left alone.
   * @param roundMs When it ends, between two containers; the next round begins behind the volume it was at, and in
   * each volume where that one ended.
   */
  collect(sparedSince?: Date, roundMs = ROUND_MS_MAX): Promise<Outcome[]> {
    const result = this.turn.then(async () => {
      const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(roundMs)]);
      const outcomes: Outcome[] = [];
      for (const volume of this.volumes()) {
        if (signal.aborted) {
          outcomes.push({ ...nothingOf(volume), problem: NOT_REACHED });
          continue;
        }
        outcomes.push(
          await this.collectOne(volume, { signal, ...(sparedSince && { sparedSince }) }),
        );
        this.latest = volume.volumeId;
      }
      return outcomes;
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async round(): Promise<void> {
    this.isWanted = false;
    await this.collect(new Date(this.clock.now().getTime() - SPARED_MS));
  }

  private async collectOne(
    volume: Volume,
    how: { readonly signal: AbortSignal; readonly sparedSince?: Date },
  ): Promise<Outcome> {
    const { pool, volumeId } = volume;
    const where = `The volume ${volumeId} of pool "${pool}"`;
    try {
      await volume.requireAnswer();
      const collected = await volume.collect(how);
      const { gone, made, freedBytes, damaged, full } = collected;
      if (gone > 0) {
        this.logger.log(
          `${where} was collected: ${gone} containers became ${made}, ${freedBytes} bytes less.`,
        );
      }
      if (damaged.length > 0) {
        const hint =
          'Verify the images of its clients: those that need them can be healed from another copy.';
        this.logger.warn(
          `${where} has containers that cannot be read: ${damaged.join(', ')}. ${hint}`,
        );
      }
      const problem = full ? messageOf(full) : collected.isUnfinished ? UNFINISHED : null;
      if (full) this.logger.warn(`${where} was collected in part: ${problem}`);
      return { pool, volumeId, gone, made, freedBytes, damaged: [...damaged], problem };
    } catch (error) {
      const problem = messageOf(error);
      this.logger.warn(`${where} was not collected: ${problem}`);
      return { ...nothingOf(volume), problem };
    }
  }

  /** Beginning behind the one that was collected last, so that none waits for another for ever. */
  private volumes(): Volume[] {
    const all = [...this.node.volumes].filter(({ shares }) => shares);
    const behind = all.findIndex(({ volumeId }) => volumeId === this.latest) + 1;
    return [...all.slice(behind), ...all.slice(0, behind)];
  }
}

function nothingOf({ pool, volumeId }: Volume): Omit<Outcome, 'problem'> {
  return { pool, volumeId, gone: 0, made: 0, freedBytes: 0, damaged: [] };
}
