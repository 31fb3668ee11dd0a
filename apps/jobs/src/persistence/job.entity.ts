import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Job } from '../domain/job.js';

/** One job. What is searched by has a column of its own; the rest of its state is one document. */
@Entity({ name: 'job' })
@Index('job_open', ['step', 'job'], { where: `step <> 'done'` })
@Index('job_client', ['client', 'job'])
@Index('job_state', ['state', 'job'])
@Index('job_policy', ['policy', 'client', 'job'])
@Index('job_parent', ['parent', 'job'], { where: 'parent IS NOT NULL' })
@Index('job_good', ['policy', 'client', 'kind', 'job'], {
  where: `type = 'backup' AND status <= 1`,
})
@Index('job_ended', ['endedAt'])
@Index('job_created', ['createdAt'])
@Index('job_failed', ['job'], { where: 'status > 1' })
@Index('job_wake', ['wakeAt'], { where: 'wake_at IS NOT NULL' })
@Index('job_paused', ['pausedAt'], { where: 'paused_at IS NOT NULL' })
@Index('job_owes', ['job'], { where: 'owes' })
@Index('job_image', ['imageId'], { where: `step <> 'done'` })
export class JobRow {
  @PrimaryColumn({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  job!: string;

  @Column({ name: 'request_id', type: 'uuid', unique: true, nullable: true })
  requestId!: string | null;

  @Column('text')
  type!: string;

  @Column('text')
  step!: string;

  @Column('text')
  state!: string;

  @Column('text')
  client!: string;

  @Column('text')
  policy!: string;

  @Column('int')
  priority!: number;

  @Column({ name: 'image_id', type: 'text', nullable: true })
  imageId!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ type: 'text', default: '' })
  schedule!: string;

  @Column({ type: 'text', nullable: true })
  kind!: string | null;

  @Column({ type: 'bigint', nullable: true })
  parent!: string | null;

  /** Null until it is done. */
  @Column({ type: 'int', nullable: true })
  status!: number | null;

  @Column({ type: 'text', nullable: true })
  storage!: string | null;

  @Column({ name: 'media_id', type: 'text', nullable: true })
  mediaId!: string | null;

  @Column({ name: 'started_at', type: 'timestamptz', nullable: true })
  startedAt!: Date | null;

  @Column({ name: 'ended_at', type: 'timestamptz', nullable: true })
  endedAt!: Date | null;

  /** When it wants to be looked at; long ago means at once. */
  @Column({ name: 'wake_at', type: 'timestamptz', nullable: true })
  wakeAt!: Date | null;

  @Column({ name: 'paused_at', type: 'timestamptz', nullable: true })
  pausedAt!: Date | null;

  /** It is done and holds something that nobody has taken back yet. */
  @Column({ type: 'boolean', default: false })
  owes!: boolean;

  @Column({ type: 'bigint', default: 0 })
  files!: string;

  @Column({ type: 'bigint', default: 0 })
  bytes!: string;

  /** Serialised `Job`. */
  @Column('jsonb')
  document!: Job;
}
