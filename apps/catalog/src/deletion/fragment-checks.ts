import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { fragmentSuspect } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { FragmentState } from '#contracts/image.js';
import { fragmentVerifyMsMax, mediaVerifyFragment } from '#contracts/media.js';
import { messageOf, NotFound, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Turns } from '#service/turns.js';
import { within } from '#service/within.js';
import { MediaServers } from '../care/media-servers.js';
import { MediaVolumes } from '../persistence/care/media-volumes.js';
import { Deletables, type DeletableFragment } from '../persistence/deletion/deletables.js';
import { Damage, type Finding } from './damage.js';

/** Whoever suspects a fragment hears so soon that it is known; a small one has been checked by then. */
const ANSWER_MS = 1_000;
/** Fragments that one media server is asked to read at once; it reads no more. */
const PER_SERVER = 2;
/** Fragments that are checked or wait for it; whoever comes then has to come again. */
const UNDER_WAY_MAX = 10_000;
/** What was read and stayed DAMAGED is not read again for so long: nobody has mended it meanwhile, as a rule. */
const SPARED_MS = 24 * 3_600_000;

/** Has fragments read whole by their own media servers: some at a time, and each once at a time. */
@Injectable()
export class FragmentChecks {
  private readonly logger = new Logger('damage');
  private readonly underWay = new Map<string, Promise<FragmentState>>();
  /** Of each media server. */
  private readonly turns = new Map<string, Turns>();
  /** When what is DAMAGED was last read, by a clock that only runs on; the oldest first. */
  private readonly readAt = new Map<string, number>();

  constructor(
    private readonly database: DataSource,
    private readonly media: MediaServers,
    private readonly damage: Damage,
  ) {}

  /**
   * Takes note of a fragment that somebody could not read, and has it checked: only its own media server's word counts.
   * What is DAMAGED already is not. Returns the state that it has within a second; the check goes on behind that.
   * @throws Unavailable where, within that second, its media server does not answer: nothing changes then.
   */
  async suspect(
    request: RequestOf<typeof fragmentSuspect>,
  ): Promise<ResponseOf<typeof fragmentSuspect>> {
    const { fragmentId, reason, reporter } = request;
    const { state, mediaId } = await this.find(fragmentId);
    if (state === 'DELETING' || state === 'DELETED' || state === 'DAMAGED') return { state };
    if (!this.underWay.has(fragmentId)) {
      this.logger.warn(`${reporter} suspects fragment ${fragmentId}: ${reason}`);
    }
    return { state: (await within(ANSWER_MS, this.check(fragmentId, mediaId))) ?? state };
  }

  /**
   * Has a fragment checked, which may take hours; returns the state that it has then.
   * @throws Unavailable where its media server does not answer, or takes too long for its size: nothing changes then.
   */
  check(fragmentId: string, mediaId: string): Promise<FragmentState> {
    const running = this.underWay.get(fragmentId);
    if (running) return running;
    const check = this.begin(fragmentId, mediaId);
    // Whoever asked may have gone.
    check.catch((error: unknown) => {
      this.logger.warn(`fragment ${fragmentId} could not be checked: ${messageOf(error)}`);
    });
    return check;
  }

  /** True where it was read within the last day, and was DAMAGED all the same. */
  wasReadLately(fragmentId: string): boolean {
    const at = this.readAt.get(fragmentId);
    return at !== undefined && performance.now() - at < SPARED_MS;
  }

  private async begin(fragmentId: string, mediaId: string): Promise<FragmentState> {
    if (this.underWay.size >= UNDER_WAY_MAX) {
      throw new Unavailable(`${UNDER_WAY_MAX} fragments wait to be checked`);
    }
    let turns = this.turns.get(mediaId);
    if (!turns) this.turns.set(mediaId, (turns = new Turns(PER_SERVER)));
    const check = turns.take(() => this.read(fragmentId));
    this.underWay.set(fragmentId, check);
    try {
      return await check;
    } finally {
      this.underWay.delete(fragmentId);
    }
  }

  private async read(fragmentId: string): Promise<FragmentState> {
    const fragment = await this.find(fragmentId);
    if (fragment.state === 'DELETING' || fragment.state === 'DELETED') return fragment.state;
    const finding = await this.finding(fragment);
    const state = await this.damage.found(fragmentId, finding);
    // What is missing is not read, and may be back at any time.
    const isRead = finding.bytes === 'damaged' || finding.bytes === 'whole';
    this.note(fragmentId, isRead && state === 'DAMAGED');
    return state;
  }

  private async finding({ fragmentId, mediaId, storedBytes }: DeletableFragment): Promise<Finding> {
    const begunMs = performance.now();
    const msMax = fragmentVerifyMsMax(storedBytes);
    for (;;) {
      const asked = { fragmentId };
      const { bytes, reason, volumes } = await this.media.ask(mediaVerifyFragment, mediaId, asked);
      if (bytes === 'missing') await this.requireVolumes(mediaId, volumes);
      if (bytes !== null) return { bytes, reason };
      if (performance.now() - begunMs > msMax) {
        const minutes = Math.round(msMax / 60_000);
        throw new Unavailable(`media server ${mediaId} has not read it within ${minutes} minutes`);
      }
    }
  }

  /** While a volume of its media server is away, a fragment that it does not show may be on that one. */
  private async requireVolumes(mediaId: string, there: readonly string[]): Promise<void> {
    const [away] = await new MediaVolumes(this.database).away(mediaId, there);
    if (away) {
      throw new Unavailable(
        `the volume ${away} of media server ${mediaId} is away`,
        STATUS.mediaOpenError,
      );
    }
  }

  private async find(fragmentId: string): Promise<DeletableFragment> {
    const found = await new Deletables(this.database).find(fragmentId);
    if (!found) throw new NotFound('fragment', fragmentId);
    return found;
  }

  private note(fragmentId: string, isReadInVain: boolean): void {
    this.readAt.delete(fragmentId);
    if (isReadInVain) this.readAt.set(fragmentId, performance.now());
    for (const oldest of this.readAt.keys()) {
      if (this.wasReadLately(oldest)) break;
      this.readAt.delete(oldest);
    }
  }
}
