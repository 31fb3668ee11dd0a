import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { ChunkCollections } from '../chunks/chunk-collections.js';
import { MediaConfig } from '../config.js';
import { MediaNode } from '../media-node.js';
import type { Volume } from '../volumes/volume.js';
import { DeletionLink } from './deletion-link.js';
import { Removals, type Removal } from './removals.js';
import { emptyOldTrash } from './trash-reaper.js';

/** From one try to the next to bring to the catalog what it has not heard. */
const SETTLE_EVERY_MS = 5_000;
const REAP_EVERY_MS_MAX = 10 * 60_000;
const REAP_EVERY_MS_MIN = 1_000;

/** Deletions of this media server: listens for grants, finishes what a crash cut, empties the trash. */
@Injectable()
export class MediaRemovals implements Startable {
  private readonly logger = new Logger('removal');
  private begun: Removals | undefined;
  private rounds: Repeating[] = [];

  constructor(
    private readonly node: MediaNode,
    private readonly link: DeletionLink,
    private readonly clock: Clock,
    private readonly config: MediaConfig,
    private readonly collections: ChunkCollections,
  ) {}

  get removals(): Removals {
    if (this.begun) return this.begun;
    throw new Unavailable(`the media server ${this.config.mediaId} is still starting`);
  }

  start(): void {
    const removals = new Removals({
      volumes: this.node.volumes,
      offers: this.node.offers,
      catalog: this.link,
      log: (severity, text) => this.log(severity, text),
      crashPoint: this.node.crashPoint,
    });
    this.begun = removals;
    this.link.listen((granted) => removals.onGrants(granted));
    const { trashGraceMs } = this.config;
    const reapEveryMs = Math.max(REAP_EVERY_MS_MIN, Math.min(trashGraceMs / 4, REAP_EVERY_MS_MAX));
    // Of each volume its own: one that hangs holds up none of the others.
    this.rounds = [...this.node.volumes].flatMap((volume) => [
      this.repeat(SETTLE_EVERY_MS, () => removals.settle(volume)),
      this.repeat(reapEveryMs, () => this.reap(volume)),
    ]);
    for (const round of this.rounds) round.start();
  }

  async stop(): Promise<void> {
    await this.link.hangUp();
    await Promise.all(this.rounds.map((round) => round.stop()));
  }

  private async reap(volume: Volume): Promise<void> {
    if (!(await volume.answers())) return;
    const time = { graceMs: this.config.trashGraceMs, now: this.clock.now() };
    const standsBy = (removal: Removal) => this.removals.standsBy(removal);
    const failed = (what: string, error: unknown) =>
      this.logger.warn(`${what}: ${messageOf(error)}`);
    const emptied = await this.removals.alone(volume, () =>
      emptyOldTrash([volume], time, standsBy, failed),
    );
    if (emptied === 0) return;
    this.logger.log(`The trash gave up ${emptied} deleted fragments.`);
    this.collections.want();
  }

  private repeat(everyMs: number, work: () => Promise<void>): Repeating {
    const onError = (error: unknown) => this.logger.warn(`goes on later: ${messageOf(error)}`);
    return new Repeating({ everyMs, work, onError });
  }

  private log(severity: 'info' | 'warning' | 'error', text: string): void {
    if (severity === 'info') this.logger.log(text);
    else if (severity === 'warning') this.logger.warn(text);
    else this.logger.error(text);
  }
}
