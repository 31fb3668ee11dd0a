import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A job that this service submitted and that has not ended as far as it knows. */
@Entity('running_job')
@Index('running_job_policy', ['policy', 'client'])
export class RunningJobEntity {
  @PrimaryColumn('bigint')
  job!: string;

  @Column('text')
  policy!: string;

  @Column('text')
  schedule!: string;

  @Column('text')
  client!: string;

  /** The due time that it was submitted for; null for what somebody started. */
  @Column('timestamptz', { name: 'due_at', nullable: true })
  dueAt!: Date | null;

  /** Of a job that is incomplete for want of tries: when it failed. */
  @Column('timestamptz', { name: 'failed_at', nullable: true })
  failedAt!: Date | null;

  /** Of the view that told so last: an older one is no news. */
  @Column('bigint', { default: 0 })
  revision!: string;

  /** When it was submitted, or the job manager was asked about it last. */
  @Column('timestamptz', { name: 'heard_at' })
  heardAt!: Date;
}
