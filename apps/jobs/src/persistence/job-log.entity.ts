import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One line of a job's log. */
@Entity({ name: 'job_log' })
export class JobLogRow {
  @PrimaryColumn({ type: 'bigint' })
  job!: string;

  @PrimaryColumn({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  line!: string;

  @Column('timestamptz')
  at!: Date;

  @Column('int')
  attempt!: number;

  @Column('text')
  process!: string;

  /** Unknown for lines of earlier releases. */
  @Column({ type: 'text', nullable: true })
  host!: string | null;

  @Column('int')
  pid!: number;

  @Column('text')
  severity!: string;

  @Column('text')
  text!: string;
}
