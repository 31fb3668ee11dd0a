import { STREAMS } from '#contracts/streams.js';
import type { Snapshot } from '../parts/sim-database.js';
import type { Cluster } from './cluster.js';
import { FRAGMENT } from './tables.js';

const ROUND_MS = 8_000;
const OUTAGE_MS_MAX = 60_000;
/** Rounds that a restored database may lie back. */
const SNAPSHOTS_MAX = 40;

/** What happens to the surroundings of the programs: broker, database, disks and the links between. */
export class Weather {
  private readonly snapshots: Snapshot[] = [];

  constructor(private readonly cluster: Cluster) {}

  start(): void {
    this.cluster.world.after(ROUND_MS, () => {
      if (this.cluster.isCalm) return;
      this.round();
      this.start();
    });
  }

  private round(): void {
    this.troubleHosts();
    this.troubleBroker();
    this.troubleDatabase();
  }

  private troubleHosts(): void {
    const { world, hosts, network, disks } = this.cluster;
    for (const name of hosts.keys()) {
      const cut = world.faults.strikes('cut', name);
      if (cut) network.cut(name, cut.happens(0.7) ? 'hub' : 'data', cut);
    }
    for (const [name, disk] of disks) {
      const full = world.faults.strikes('disk-full', name);
      if (!full || disk.isFull) continue;
      disk.isFull = true;
      world.after(full.between(1_000, OUTAGE_MS_MAX), () => {
        disk.isFull = false;
      });
    }
  }

  private troubleBroker(): void {
    const { world, broker } = this.cluster;
    const { faults } = world;
    for (const { name } of STREAMS) {
      const forget = faults.strikes('forget', name);
      if (forget) broker.forget(name, forget);
      const rewind = faults.strikes('rewind', name);
      if (rewind && broker.names.includes(name)) {
        broker.rewind(name, rewind.between(0, broker.lastSequence(name)));
        if (rewind.happens(0.3)) broker.healConsumers();
      }
      if (faults.strikes('stream-gone', name)) broker.deleteStream(name);
    }
    const consumer = faults.strikes('consumer-gone', 'broker');
    if (consumer) broker.forgetConsumer(consumer);
    const outage = faults.strikes('broker-down', 'broker');
    if (outage && !broker.isAway) {
      broker.isAway = true;
      world.after(outage.between(1_000, OUTAGE_MS_MAX), () => {
        broker.isAway = false;
        this.cluster.network.tellWhoIsBack();
      });
    }
  }

  private troubleDatabase(): void {
    const { world, database } = this.cluster;
    const outage = world.faults.strikes('database-down', 'database');
    if (outage && !database.isAway) {
      database.isAway = true;
      database.disconnectAll();
      world.after(outage.between(1_000, OUTAGE_MS_MAX), () => {
        database.isAway = false;
        database.starts += 1;
      });
    }
    const back = world.faults.strikes('database-back', 'database');
    if (back && this.snapshots.length > 0) {
      const snapshot = back.pick(this.snapshots);
      world.note(() => 'the database goes back in time');
      this.meetForgotten(snapshot);
      database.restore(snapshot, { silently: back.happens(0.3) });
    }
    this.snapshots.push(database.snapshot());
    if (this.snapshots.length > SNAPSHOTS_MAX) this.snapshots.shift();
  }

  /** What the database is about to forget. */
  private meetForgotten(snapshot: Snapshot): void {
    const { world, database } = this.cluster;
    const before = snapshot.tables.get(FRAGMENT)!;
    for (const [key, row] of database.committed(FRAGMENT)) {
      const then = before.get(key)?.['state'] ?? 'nothing';
      if (then !== row['state'])
        world.meet(`forgotten: ${String(row['state'])}, was ${String(then)}`);
    }
  }
}
