import { Column, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { bigInteger } from './big-integer.js';

/** A request in the queue. Why it waits is worked out when someone asks, and not stored. */
@Entity('waiting')
@Unique('waiting_job_attempt', ['job', 'attempt'])
@Index('waiting_turn', ['unit', 'priority', 'arrival'])
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

  /** The unit of a write ... */
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
}
