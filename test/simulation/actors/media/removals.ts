import { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import type { Tombstone } from '#contracts/fragment.js';
import type { FragmentName } from '#storage/fragment-name.js';
import type { FragmentState } from '../../../../apps/media/src/domain/journal-state.js';
import type { Rules } from '../../rules.js';
import type { Link } from '../link.js';
import { isOutage } from '../network.js';
import { FILES, pathOf, type FragmentFiles } from './fragment-files.js';
import type { SimLedger } from './sim-ledger.js';

const REPORT_AGAIN_MS = 30_000;

type Condemned = Extract<FragmentState, { phase: 'CONDEMNED' }>;
type Removed = Extract<FragmentState, { phase: 'REMOVED' }>;

export interface RemovalTools {
  readonly mediaId: string;
  readonly link: Link;
  readonly files: FragmentFiles;
  readonly ledger: SimLedger;
  readonly rules: Rules;
  /** The fragment is whole and counts again. */
  readonly offerAgain: (fragmentId: string) => void;
}

/** The way of a fragment's bytes out of a media server: grant, claim, trash, report. */
export class Removals {
  private readonly busy = new Set<string>();

  constructor(private readonly tools: RemovalTools) {}

  /** Goes on with what an earlier life had begun, and reports what is not known yet. */
  start(): void {
    const { life } = this.tools.link;
    life.spawn('removals', async () => {
      for (;;) {
        for (const [, state] of this.tools.ledger.all()) await this.resume(state);
        await life.sleep(REPORT_AGAIN_MS);
      }
    });
  }

  /** A grant came over the stream. Throws where the catalog could not be asked. */
  async onGrant(tombstone: Tombstone): Promise<void> {
    const { ledger, rules } = this.tools;
    const state = ledger.find(tombstone.fragmentId);
    const decision = rules.decideGrant(state, tombstone);
    if (decision.type === 'claim') await this.remove(tombstone);
    if (decision.type === 'report' && state?.phase === 'REMOVED') await this.report(state);
  }

  private async resume(state: FragmentState): Promise<void> {
    try {
      if (state.phase === 'CONDEMNED') await this.finish(state);
      if (state.phase === 'REMOVED' && !state.reported) await this.report(state);
    } catch (error) {
      if (!isOutage(error)) throw error;
    }
  }

  private async remove(tombstone: {
    readonly fragmentId: string;
    readonly tombstoneId: string;
  }): Promise<void> {
    const { fragmentId, tombstoneId } = tombstone;
    if (this.busy.has(fragmentId)) return;
    this.busy.add(fragmentId);
    try {
      const { mediaId, link, rules, ledger } = this.tools;
      const answer = rules.habits.skipsTheClaim
        ? { confirmed: true }
        : await link.request(deleteClaim, { mediaId, tombstoneId, fragmentId });
      if (!rules.confirmGrant(tombstone, answer)) return;
      await ledger.record({ type: 'CONDEMNED', fragmentId, tombstoneId });
      await this.move(fragmentId, tombstoneId);
    } finally {
      this.busy.delete(fragmentId);
    }
  }

  /** A life before this one condemned it: the catalog is asked again before anything is moved. */
  private async finish(state: Condemned): Promise<void> {
    const { mediaId, link, files, rules, ledger } = this.tools;
    const { tombstoneId, manifest } = state;
    const { fragmentId } = manifest;
    if (this.busy.has(fragmentId)) return;
    this.busy.add(fragmentId);
    try {
      const answer = await link.request(deleteClaim, { mediaId, tombstoneId, fragmentId });
      if (rules.confirmGrant({ fragmentId, tombstoneId }, answer)) {
        await this.move(fragmentId, tombstoneId);
      } else {
        await files.takeBack(manifest, tombstoneId);
        await ledger.record({ type: 'TAKEN_BACK', fragmentId });
        this.tools.offerAgain(fragmentId);
      }
    } finally {
      this.busy.delete(fragmentId);
    }
  }

  private async move(fragmentId: string, tombstoneId: string): Promise<void> {
    const { ledger, files } = this.tools;
    const state = ledger.find(fragmentId);
    if (state?.phase !== 'CONDEMNED') return;
    await files.moveToTrash(state.manifest, tombstoneId);
    await ledger.record({ type: 'REMOVED', fragmentId, tombstoneId });
    const removed = ledger.find(fragmentId);
    if (removed?.phase === 'REMOVED') await this.report(removed);
  }

  private async report({ manifest, tombstoneId }: Removed): Promise<void> {
    const { mediaId, link, ledger } = this.tools;
    const { fragmentId } = manifest;
    await link.request(deleteReport, { mediaId, removals: [{ tombstoneId, fragmentId }] });
    await ledger.record({ type: 'REPORTED', fragmentId });
  }
}

/** For a world that is meant to fail: bytes go without anybody's leave. */
export async function destroy(link: Link, name: FragmentName, remove: (path: string) => void) {
  await link.life.effect('destroys a fragment', () => {
    for (const file of FILES) remove(pathOf(name, file));
  });
}
