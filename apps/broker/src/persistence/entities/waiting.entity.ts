import { Column, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { bigInteger } from './big-integer.js';

/** A request in the queue. Why it waits is worked out when someone asks, and not stored. */
@Entity('waiting')
@Unique('waiting_job_attempt', ['job', 'attempt'])
@Index('waiting_turn', ['unit', 'priority', 'arrival'])
@Index('waiting_level', ['priority', 'arrival'])
@Index('waiting_pool_turn', ['pool', 'priority', 'arrival'])
export class WaitingEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  arrival!: string;

  @Column('bigint', { transformer: bigInteger })
  job!: number;

  @Column('bigint', { transformer: bigInteger })
  attempt!: number;

  @Column('text')
  purpose!: 'write' | 'read' | 'duplicate';

  @Column('text')
  client!: string;

  /** The unit of a write, or the group ... */
  @Column('text', { nullable: true })
  unit!: string | null;

  /** ... the pool of a duplication ... */
  @Column('text', { nullable: true })
  pool!: string | null;

  /** ... the media servers of a read, or of the sources of a duplication. */
  @Column('text', { array: true, nullable: true })
  media!: string[] | null;

  /** Sets of servers of which a read needs one each; null: it needs all. */
  @Column('jsonb', { name: 'any_of', nullable: true })
  anyOf!: string[][] | null;

  @Column('bigint', { transformer: bigInteger })
  priority!: number;

  @Column('text', { nullable: true })
  policy!: string | null;

  @Column('integer', { name: 'policy_jobs_max', nullable: true })
  policyJobsMax!: number | null;

  @Column('bigint', { name: 'estimated_bytes', default: 0, transformer: bigInteger })
  estimatedBytes!: number;

  /** Streams that a write allows on its drive; null: as many as its unit. */
  @Column('integer', { nullable: true })
  multiplexing!: number | null;

  @Column('timestamptz', { name: 'queued_at', default: () => 'now()' })
  queuedAt!: Date;
}
