import { fragmentCommitted, type Verdict } from '#contracts/fragment.js';
import { parseFileName } from '#storage/fragment-name.js';
import { digestOf, FILES, pathOf } from '../actors/media/sim-store.js';
import type { Cluster } from '../actors/cluster.js';
import {
  IMAGE,
  PIN,
  type ImageRow,
  COPY,
  copyKey,
  FRAGMENT,
  OUTBOX,
  slotOf,
  type CopyRow,
  type FragmentRow,
} from '../actors/tables.js';
import { Violation } from '../kernel/world.js';
import type { SimDisk } from '../parts/sim-disk.js';

/** A transaction may take so long from reading the clock to its commit: its program may freeze. */
const STEP_MS = 100_000;
const LIVE = new Set(['ACTIVE', 'TO_BE_DELETED']);

/**
 * Looks at the whole cluster from outside, after every step, for what must never be. It reads disks and
 * tables, not what the programs think.
 */
export class Invariants {
  private databaseVersion = -1;
  private generation = 1;
  private readonly diskVersions = new Map<string, number>();
  private readonly states = new Map<string, FragmentRow>();
  private readonly announced = new Map<string, string>();
  private readonly complete = new Set<string>();
  private readonly digests = new WeakMap<Buffer, string>();

  constructor(private readonly cluster: Cluster) {
    for (const [mediaId, disk] of cluster.disks) {
      disk.whenLeaving((path) => this.bytesLeave(mediaId, path));
    }
  }

  check(): void {
    const { database } = this.cluster;
    const isNews = database.version !== this.databaseVersion;
    if (isNews) {
      this.databaseVersion = database.version;
      this.checkCatalog();
    }
    for (const [mediaId, disk] of this.cluster.disks) {
      if (!isNews && disk.version === this.diskVersions.get(mediaId)) continue;
      this.diskVersions.set(mediaId, disk.version);
      this.checkBytes(mediaId, disk);
    }
    this.checkJournals();
  }

  /** I1: what the catalog shows is there, whole, and would survive a power loss now. */
  private checkBytes(mediaId: string, disk: SimDisk): void {
    for (const row of this.fragments()) {
      if (row.mediaId !== mediaId || !LIVE.has(row.state)) continue;
      if (this.cluster.oracle.isConfirmed(row.fragmentId)) continue;
      const data = disk.durable(pathOf(row, 'data'));
      const whole = data && this.digest(data) === row.digest;
      if (whole && disk.durable(pathOf(row, 'manifest'))) continue;
      throw new Violation('I1 no loss', `${nameOf(row)} is ${row.state}, its bytes are not safe`);
    }
  }

  private checkCatalog(): void {
    const { database } = this.cluster;
    if (database.generation !== this.generation) {
      this.generation = database.generation;
      this.states.clear();
      for (const row of this.fragments()) this.states.set(row.fragmentId, row);
      this.complete.clear();
      for (const image of this.cluster.images)
        if (image.wasComplete) this.complete.add(image.imageId);
      return;
    }
    const slots = new Set<string>();
    for (const row of this.fragments()) {
      const before = this.states.get(row.fragmentId);
      if (before !== row) this.checkChange(before, row);
      this.states.set(row.fragmentId, row);
      if (!LIVE.has(row.state)) continue;
      if (slots.has(slotOf(row))) throw new Violation('I4 exactly once', `two hold ${slotOf(row)}`);
      slots.add(slotOf(row));
    }
    this.checkAnnouncements();
    for (const image of this.cluster.images) this.checkCompletion(image);
  }

  /**
   * I5: an image that is complete for the first time has every fragment. I7: none of them was made by
   * an older attempt than the one before it.
   */
  private checkCompletion({ imageId, wasComplete, fragmentsExpected }: ImageRow): void {
    if (!wasComplete || this.complete.has(imageId)) return;
    this.complete.add(imageId);
    const of = [...this.fragments()].filter((row) => row.imageId === imageId && row.copy === 1);
    const active = of.filter(({ state }) => state === 'ACTIVE').sort((a, b) => a.number - b.number);
    if (active.length !== fragmentsExpected || active.some((row, at) => row.number !== at + 1)) {
      throw new Violation('I5 derived', `${imageId} is complete with ${active.length} fragments`);
    }
    const late = active.find((row, at) => at > 0 && row.attempt < active[at - 1]!.attempt);
    if (late) throw new Violation('I7 fenced', `${nameOf(late)} is of an attempt that was over`);
  }

  /** I7 at the moment of the commit; I2 for the order of states. */
  private checkChange(before: FragmentRow | undefined, row: FragmentRow): void {
    if (!before) {
      const copy = this.cluster.database.committed(COPY).get(copyKey(row)) as CopyRow | undefined;
      if (copy?.attempt !== row.attempt) {
        const now = copy ? `attempt ${copy.attempt} is granted` : 'there is no such copy';
        throw new Violation('I7 fenced', `${nameOf(row)} of attempt ${row.attempt}; ${now}`);
      }
      return;
    }
    if (before.digest !== row.digest || slotOf(before) !== slotOf(row)) {
      throw new Violation('I4 exactly once', `${nameOf(row)} was committed over another`);
    }
    const isBack = before.tombstoneId !== null && row.tombstoneId !== before.tombstoneId;
    if (isBack) throw new Violation('I2 tombstone only', `${nameOf(row)}: a grant was taken back`);
    if (before.state === row.state) return;
    this.cluster.world.meet(`${before.state} to ${row.state}`);
    if (row.state === 'TO_BE_DELETED') this.checkRetirement(row);
    if (row.state === 'DELETING') this.checkGrant(before, row);
    if (row.state === 'DELETED' && before.state !== 'DELETING') {
      throw new Violation('I2 tombstone only', `${nameOf(row)} is DELETED without a grant`);
    }
  }

  /** It has its whole grace period, nobody reads it, and an image that is needed keeps a good copy. */
  private checkRetirement(row: FragmentRow): void {
    const { database, world, settings } = this.cluster;
    if (row.deletableAt! < world.now + settings.deleteGraceMs - STEP_MS) {
      throw new Violation('I2 tombstone only', `${nameOf(row)} has no grace period`);
    }
    this.checkPins(row);
    const image = database.committed(IMAGE).get(row.imageId) as ImageRow;
    if (image.expiresAt <= world.now || image.fragmentsExpected === null) return;
    const good = new Map<number, number>();
    for (const each of this.fragments()) {
      if (each.imageId !== row.imageId || each.state !== 'ACTIVE') continue;
      good.set(each.copy, (good.get(each.copy) ?? 0) + 1);
    }
    if ([...good.values()].some((count) => count === image.fragmentsExpected)) return;
    // Of a copy that was never whole the last good one is none.
    const rest = [...this.fragments()].filter(
      ({ imageId, copy }) => imageId === row.imageId && copy === row.copy,
    );
    if (rest.length < image.fragmentsExpected) return;
    throw new Violation('I1 no loss', `${nameOf(row)} goes, and no good copy of its image is left`);
  }

  /** I2 and I3: nothing is granted before its grace is over, or while a running job reads it. */
  private checkGrant(before: FragmentRow, row: FragmentRow): void {
    const { world } = this.cluster;
    // It was granted before, and its bytes came back.
    if (before.state === 'DELETED' && before.tombstoneId === row.tombstoneId) return;
    const isDue = before.deletableAt !== null && world.now >= before.deletableAt;
    if (!isDue) throw new Violation('I2 tombstone only', `${nameOf(row)} went without its grace`);
    this.checkPins(row);
    this.checkLastBytes(row);
  }

  /** I1: of what is still needed nothing goes whose bytes lie nowhere else, whatever the rows say. */
  private checkLastBytes(row: FragmentRow): void {
    const { database, world } = this.cluster;
    const image = database.committed(IMAGE).get(row.imageId) as ImageRow;
    if (row.isGivenUp || image.expiresAt <= world.now || !image.wasComplete) return;
    const others = [...this.fragments()].filter(
      (each) =>
        each.imageId === row.imageId && each.number === row.number && each.state === 'ACTIVE',
    );
    const isWhole = (each: FragmentRow): boolean => {
      const disk = this.cluster.disks.get(each.mediaId)!;
      return FILES.every((file) => disk.exists(pathOf(each, file)));
    };
    if (others.some(isWhole)) return;
    throw new Violation('I1 no loss', `${nameOf(row)} goes, and its bytes lie nowhere else`);
  }

  private checkPins(row: FragmentRow): void {
    for (const pin of this.cluster.database.committed(PIN).values()) {
      if (pin['fragmentId'] !== row.fragmentId) continue;
      const what = `${nameOf(row)} goes while job ${String(pin['job'])} reads it`;
      throw new Violation('I3 own undo only', what);
    }
  }

  /** I4: the world hears of a commit once. */
  private checkAnnouncements(): void {
    for (const [key, row] of this.cluster.database.committed(OUTBOX)) {
      if (!String(row['subject']).startsWith('hf.evt.v1.fragment.committed.')) continue;
      const { fragments } = fragmentCommitted.schema.parse(JSON.parse(String(row['payload'])));
      for (const { fragmentId } of fragments) {
        const event = `${this.generation} ${fragmentId}`;
        const earlier = this.announced.get(event);
        if (earlier !== undefined && earlier !== key) {
          throw new Violation('I4 exactly once', `${fragmentId} was announced twice`);
        }
        this.announced.set(event, key);
      }
    }
  }

  /** I6: a journal holds no verdict that no catalog gave. */
  private checkJournals(): void {
    for (const program of this.cluster.programs.values()) {
      for (const [fragmentId, state] of program.ledger?.news() ?? []) {
        if (state.phase !== 'JUDGED') continue;
        const { catalogEpoch } = state;
        const verdict: Verdict = state.verdict;
        if (this.cluster.oracle.gave({ fragmentId, verdict, catalogEpoch })) continue;
        throw new Violation('I6 silence', `${program.mediaId} has ${verdict} for ${fragmentId}`);
      }
    }
  }

  /** I2: bytes of a whole fragment leave their place only when the catalog has said yes to that. */
  private bytesLeave(mediaId: string, path: string): void {
    const file = parseFileName(path.slice(path.lastIndexOf('/') + 1));
    if (!file || file.partial || path.startsWith('.trash/')) return;
    if (this.cluster.oracle.isConfirmed(file.fragmentId)) return;
    const what = `${mediaId} removes ${path} without a confirmed grant`;
    this.cluster.world.fail(new Violation('I2 tombstone only', what));
  }

  private fragments(): Iterable<FragmentRow> {
    return this.cluster.database.committed(FRAGMENT).values() as Iterable<FragmentRow>;
  }

  private digest(data: Buffer): string {
    const known = this.digests.get(data);
    if (known) return known;
    const digest = digestOf(data);
    this.digests.set(data, digest);
    return digest;
  }
}

function nameOf(row: FragmentRow): string {
  return `fragment ${slotOf(row)} on ${row.mediaId}`;
}
