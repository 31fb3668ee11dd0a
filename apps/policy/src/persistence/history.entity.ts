import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What became of the backups of one schedule of one client. */
@Entity('history')
export class HistoryEntity {
  @PrimaryColumn('text')
  policy!: string;

  @PrimaryColumn('text')
  schedule!: string;

  @PrimaryColumn('text')
  client!: string;

  @Column('timestamptz', { name: 'known_since' })
  knownSince!: Date;

  @Column('bigint', { name: 'last_good_job', nullable: true })
  lastGoodJob!: string | null;

  @Column('timestamptz', { name: 'last_good_at', nullable: true })
  lastGoodAt!: Date | null;

  /** When that one was due or asked for; older rows do not know. */
  @Column('timestamptz', { name: 'last_good_planned_at', nullable: true })
  lastGoodPlannedAt!: Date | null;

  /** What a change of the policy made due waits until then. */
  @Column('timestamptz', { name: 'held_until', nullable: true })
  heldUntil!: Date | null;

  /** `{job, at, status}` each, the oldest first. */
  @Column('jsonb')
  failures!: object;

  /** The highest job number that has ended; a job is no news after its end. */
  @Column('bigint', { name: 'last_ended_job', nullable: true })
  lastEndedJob!: string | null;
}
