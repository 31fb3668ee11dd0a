import {
  catalogFragmentOffer,
  catalogFragmentStatus,
  commitsOf,
  fragmentCommit,
  type FragmentCommit,
  fragmentCommitted,
  type FragmentReceipt,
  type Verdict,
} from '#contracts/fragment.js';
import { newsOfCopies, sendReceipts } from '../../../../apps/catalog/src/domain/commit-messages.js';
import type { Existing, Fence } from '../../../../apps/catalog/src/domain/verdict.js';
import type { Delivered } from '../../parts/broker.js';
import type { Transaction } from '../../parts/database.js';
import type { Work } from '../link.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  REFUSED,
  rowOf,
  slotOf,
  type FragmentRow,
  type RefusedRow,
} from '../tables.js';
import type { CatalogContext } from './catalog-context.js';

/** Commits fragments a batch at a time: fence, rows, verdicts, receipts in one transaction. */
export class Commits {
  constructor(private readonly program: CatalogContext) {}

  serve(): void {
    const { link } = this.program;
    link.serve(catalogFragmentStatus, ({ mediaId, fragmentIds }) =>
      this.status(mediaId, fragmentIds),
    );
    link.serve(catalogFragmentOffer, async ({ commits }) => ({
      receipts: await this.offer(commits),
    }));
  }

  async handle(batch: readonly Delivered[]): Promise<void> {
    const offered = batch.flatMap(({ payload }) => commitsOf(JSON.parse(payload)));
    const commits = offered.flatMap((each) => fragmentCommit.safeParse(each).data ?? []);
    await this.offer(commits);
  }

  offer(commits: readonly FragmentCommit[]): Promise<FragmentReceipt[]> {
    return this.program.transaction((unit) => this.judgeAll(unit, commits));
  }

  private async judgeAll(
    unit: Work,
    commits: readonly FragmentCommit[],
  ): Promise<FragmentReceipt[]> {
    const { rules, oracle } = this.program;
    const catalogEpoch = await unit.run('epoch', (db) => this.program.epoch(db));
    const fences = await unit.run('locks fences', (db) => lockFences(db, commits));
    const fenceOf = (commit: FragmentCommit) => fences.get(copyKey(commit));
    const twinOf = await unit.run('reads twins', (db) => twinsOf(db, commits));
    const admitted = commits.filter((commit) =>
      rules.mayCommit(commit, fenceOf(commit), twinOf(commit)),
    );
    const fresh = await unit.run('inserts fragments', (db) =>
      insertNew(db, admitted, this.program.life.world.now),
    );
    const existing = await unit.run('reads what is there', (db) => existingOf(db, commits));
    const refused: { offer: FragmentCommit; verdict: Verdict }[] = [];
    const news: FragmentCommit[] = [];
    const receipts = commits.map((commit): FragmentReceipt => {
      const { fragmentId, mediaId } = commit;
      const known = { ...existing(commit), twin: twinOf(commit) };
      const verdict = rules.judge(commit, known, fenceOf(commit));
      const isNews = rules.habits.announcesRepeats ? true : fresh.delete(fragmentId);
      if (verdict !== 'COMMITTED') refused.push({ offer: commit, verdict });
      else if (isNews) news.push(commit);
      return { fragmentId, mediaId, verdict, catalogEpoch };
    });
    sendReceipts(unit, receipts);
    for (const told of newsOfCopies(news)) unit.send(fragmentCommitted, [told.imageId], told);
    await unit.run('remembers what was refused', (db) =>
      remember(db, refused, this.program.life.world.now),
    );
    unit.whenDone(() => {
      oracle.wasJudged(receipts);
      for (const { verdict } of receipts) this.program.life.world.meet(`verdict ${verdict}`);
    });
    return receipts;
  }

  /** What was refused before is judged anew. */
  private async status(mediaId: string, ids: readonly string[]) {
    const { oracle } = this.program;
    const found = await this.program.transaction(async (unit) => {
      const catalogEpoch = await unit.run('epoch', (db) => this.program.epoch(db));
      const known = await unit.run('looks fragments up', (db) => lookUp(db, mediaId, ids));
      const receipts = known.committed.map((fragmentId): FragmentReceipt => {
        return { fragmentId, mediaId, verdict: 'COMMITTED', catalogEpoch };
      });
      unit.whenDone(() => oracle.wasJudged(receipts));
      return { ...known, receipts };
    });
    const judged = found.refused.length > 0 ? await this.offer(found.refused) : [];
    const answered = new Set([...found.receipts, ...judged].map(({ fragmentId }) => fragmentId));
    return {
      receipts: [...found.receipts, ...judged],
      unknown: ids.filter((id) => !answered.has(id)),
    };
  }
}

/** In one order everywhere, so that two catalogs wait for each other in no circle. */
async function lockFences(
  db: Transaction,
  commits: readonly FragmentCommit[],
): Promise<Map<string, Fence>> {
  const fences = new Map<string, Fence>();
  for (const key of [...new Set(commits.map(copyKey))].sort()) {
    const row = await db.lock(COPY, key, 'share');
    if (row) fences.set(key, { attempt: row['attempt'] as number });
  }
  return fences;
}

async function insertNew(
  db: Transaction,
  commits: readonly FragmentCommit[],
  committedAt: number,
): Promise<Set<string>> {
  const inOrder = [...commits].sort((a, b) =>
    `${slotOf(a)} ${a.fragmentId}` < `${slotOf(b)} ${b.fragmentId}` ? -1 : 1,
  );
  const fresh = new Set<string>();
  for (const commit of inOrder) {
    const row = rowOf(commit, { state: 'ACTIVE', committedAt });
    await db.remove(REFUSED, commit.fragmentId);
    if (await db.insert(FRAGMENT, commit.fragmentId, row)) fresh.add(commit.fragmentId);
  }
  return fresh;
}

/** An ACTIVE fragment of the same number in another copy. */
async function twinsOf(
  db: Transaction,
  commits: readonly FragmentCommit[],
): Promise<(commit: FragmentCommit) => FragmentRow | undefined> {
  const found = new Map<string, FragmentRow>();
  for (const { fragmentId, imageId, copy, number } of commits) {
    const same = await db.select(FRAGMENT, { imageId, number, state: 'ACTIVE' });
    const twin = same.find(({ row }) => row['copy'] !== copy);
    if (twin) found.set(fragmentId, twin.row as FragmentRow);
  }
  return (commit) => found.get(commit.fragmentId);
}

async function existingOf(
  db: Transaction,
  commits: readonly FragmentCommit[],
): Promise<(commit: FragmentCommit) => Existing> {
  const found = new Map<string, Existing>();
  for (const commit of commits) {
    const same = await db.read(FRAGMENT, commit.fragmentId);
    const [holder] = await db.select(FRAGMENT, { slot: slotOf(commit) });
    found.set(commit.fragmentId, {
      same: same as FragmentRow | undefined,
      holder: holder?.row as FragmentRow | undefined,
    });
  }
  return (commit) => found.get(commit.fragmentId)!;
}

async function remember(
  db: Transaction,
  refused: readonly { offer: FragmentCommit; verdict: Verdict }[],
  refusedAt: number,
): Promise<void> {
  for (const { offer, verdict } of [...refused].sort(byId)) {
    const row: RefusedRow = { offer, verdict, refusedAt };
    if (!(await db.insert(REFUSED, offer.fragmentId, row))) {
      await db.update(REFUSED, offer.fragmentId, row);
    }
  }
}

async function lookUp(
  db: Transaction,
  mediaId: string,
  ids: readonly string[],
): Promise<{ committed: string[]; refused: FragmentCommit[] }> {
  const committed: string[] = [];
  const refused: FragmentCommit[] = [];
  for (const id of ids) {
    const row = await db.read(FRAGMENT, id);
    const other = await db.read(REFUSED, id);
    if (row?.['mediaId'] === mediaId) committed.push(id);
    else if (other) refused.push((other as RefusedRow).offer);
  }
  return { committed, refused: refused.filter((offer) => offer.mediaId === mediaId) };
}

function byId(a: { offer: FragmentCommit }, b: { offer: FragmentCommit }): number {
  return a.offer.fragmentId < b.offer.fragmentId ? -1 : 1;
}
