import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { KEPT_LISTINGS_MAX } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { latestBaseTime } from './domain/base.js';
import { Images } from './persistence/images.js';

/** An agent that is told once a minute keeps no more than a minute's listings too many. */
const TELL_EVERY_MS = 60_000;
/** Clients and policies whose last time is remembered; of one that is forgotten the agent is told again. */
const REMEMBERED_MAX = 10_000;

/**
 * Which listings the agent of a client should keep for a policy. To find that out all images of both are
 * looked at, so whoever backs up many small things at once is told only now and then.
 */
@Injectable()
export class KeptListings {
  private readonly told = new Map<string, number>();

  constructor(
    private readonly database: DataSource,
    private readonly clock: Clock,
  ) {}

  /** Null where the agent was told a moment ago: it drops nothing then. */
  async of(client: string, policy: string): Promise<string[] | null> {
    const key = `${client}\n${policy}`;
    const now = performance.now();
    if (now - (this.told.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return null;
    this.told.delete(key);
    this.told.set(key, now);
    if (this.told.size > REMEMBERED_MAX) {
      const [oldest] = this.told.keys();
      this.told.delete(oldest!);
    }
    const until = latestBaseTime(this.clock.now());
    const images = new Images(this.database.manager);
    return images.possibleBases({ client, policy }, until, KEPT_LISTINGS_MAX);
  }
}
