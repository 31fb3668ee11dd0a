import { catalogFragmentSources } from '#contracts/catalog/copy.js';
import type { FragmentView } from '#contracts/image.js';
import type { TaskResult } from '#contracts/job.js';
import type { MediaTask } from '#contracts/task.js';
import type { Verdict } from '#contracts/fragment.js';
import { PermanentError } from '#kernel/errors.js';
import { refusal } from '../../../../apps/media/src/domain/refusal.js';
import { DiskError } from '../../parts/disk.js';
import { isOutage } from '../network.js';
import { digestOf } from './sim-store.js';
import type { FragmentContent } from './fragment-writer.js';
import type { MediaContext } from './media-context.js';
import { dataPort, type DataCall, type FragmentBytes, type Session } from './data-call.js';

const FRAGMENT_MS_MAX = 12_000;
const VERDICT_LOOK_MS = 5_000;

/** Fills the numbers that a copy lacks from the other copies. Sources are read and nothing else. */
export class Duplication {
  private readonly written: string[] = [];

  constructor(
    private readonly program: MediaContext,
    private readonly session: Session,
  ) {}

  async run(task: Extract<MediaTask, { type: 'duplicate' }>): Promise<TaskResult> {
    const { imageId, copy } = task.image;
    const { life } = this.program;
    const { fragments } = await this.program.link.request(catalogFragmentSources, {
      imageId,
      missingIn: copy,
    });
    for (const { number, sources } of fragments) {
      this.mustGoOn();
      // Bytes take their time.
      await life.sleep(life.host.chance.between(0, FRAGMENT_MS_MAX));
      const content = await this.readOne(number, sources);
      const fragmentId = await this.program.writer.write(task.image, content);
      this.program.offer(fragmentId);
      this.written.push(fragmentId);
    }
    await this.allCommitted();
    return { status: 0, message: '', fragments: this.written.length };
  }

  /** The first source that gives what was committed. */
  private async readOne(
    number: number,
    sources: readonly FragmentView[],
  ): Promise<FragmentContent> {
    let failure: unknown = new PermanentError(85, `fragment ${number} has no source`);
    for (const source of sources) {
      try {
        const { data, index, last } = await this.read(source);
        if (digestOf(data) !== source.digest) throw new PermanentError(85, 'a wrong digest');
        const { archiveOffset, archiveBytes } = source;
        return { number, data, index, archiveOffset, archiveBytes, last };
      } catch (error) {
        const isKnown = error instanceof PermanentError || error instanceof DiskError;
        if (!isKnown && !isOutage(error)) throw error;
        failure = error;
      }
    }
    throw failure instanceof DiskError ? new PermanentError(85, failure.message) : failure;
  }

  private async read(
    source: FragmentView,
  ): Promise<{ data: Buffer; index: Buffer; last: boolean }> {
    const { program } = this;
    if (source.mediaId === program.mediaId) {
      const state = program.ledger!.find(source.fragmentId);
      return {
        data: await program.store.read(source, 'data'),
        index: await program.store.read(source, 'index'),
        last: state !== undefined && state.phase !== 'INTENT' && state.manifest.last,
      };
    }
    const call: DataCall = { type: 'read', fragmentId: source.fragmentId };
    const answer = (await program.link.fetch(dataPort(source.mediaId), call)) as FragmentBytes;
    const { data, index, last } = answer;
    return { data: Buffer.from(data, 'base64'), index: Buffer.from(index, 'base64'), last };
  }

  private async allCommitted(): Promise<void> {
    for (const fragmentId of this.written) {
      const verdict = await this.orOver(this.program.offers.verdict(fragmentId));
      // Another attempt, which was thought to be over, was first: the copy has the number.
      if (verdict !== 'COMMITTED' && verdict !== 'SUPERSEDED') throw refusal(fragmentId, verdict);
    }
  }

  private async orOver(verdict: Promise<Verdict>): Promise<Verdict> {
    let known: Verdict | undefined;
    void verdict.then((each) => (known = each));
    while (known === undefined) {
      this.mustGoOn();
      await this.program.life.sleep(VERDICT_LOOK_MS);
    }
    return known;
  }

  private mustGoOn(): void {
    if (this.session.isOver) throw new PermanentError(150, 'the session was ended');
  }
}
