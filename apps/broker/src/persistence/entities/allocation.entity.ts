import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { bigInteger } from './big-integer.js';

@Entity('allocation')
@Unique('allocation_job_attempt', ['job', 'attempt'])
export class AllocationEntity {
  @PrimaryColumn('uuid', { name: 'allocation_id' })
  allocationId!: string;

  @Column('bigint', { transformer: bigInteger })
  job!: number;

  @Column('bigint', { transformer: bigInteger })
  attempt!: number;

  @Column('text')
  purpose!: 'write' | 'read' | 'duplicate';

  @Column('text')
  client!: string;

  @Column('text', { nullable: true })
  policy!: string | null;

  /** Null for reads, as are the next two. A slot of this unit is taken while the row exists. */
  @Column('text', { nullable: true })
  @Index('allocation_unit')
  unit!: string | null;

  @Column('text', { nullable: true })
  pool!: string | null;

  @Column('bigint', { name: 'fragment_bytes_max', nullable: true, transformer: bigInteger })
  fragmentBytesMax!: number | null;

  /** Counts as used for as long as the row exists; 0 where nothing was said. */
  @Column('bigint', { name: 'estimated_bytes', default: 0, transformer: bigInteger })
  estimatedBytes!: number;

  /** Streams that it allows on its drive; null: as many as its unit. */
  @Column('integer', { nullable: true })
  multiplexing!: number | null;

  @Column('text', { array: true })
  media!: string[];

  @Column('timestamptz', { name: 'granted_at' })
  grantedAt!: Date;

  @Column('timestamptz', { name: 'lease_until' })
  @Index('allocation_lease_until')
  leaseUntil!: Date;
}
