import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Job } from '../domain/job.js';

/** One job. What is searched by has a column of its own; the rest of its state is one document. */
@Entity({ name: 'job' })
@Index('job_open', ['step'], { where: `step <> 'done'` })
@Index('job_client', ['client', 'job'])
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

  /** Serialised `Job`. */
  @Column('jsonb')
  document!: Job;
}
