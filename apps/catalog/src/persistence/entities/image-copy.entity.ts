import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { ImageRow } from './image.entity.js';
import { asNumber } from '../numbers.js';

/** One copy of an image, with the fence that its commits are checked against. */
@Entity({ name: 'image_copy' })
@ForeignKey(() => ImageRow, ['imageId'], ['imageId'], { name: 'image_copy_image' })
export class ImageCopyRow {
  @PrimaryColumn({ name: 'image_id', type: 'text' })
  imageId!: string;

  @PrimaryColumn('int')
  copy!: number;

  /** The fence: the one attempt that may commit. It only ever rises. */
  @Column({ type: 'bigint', transformer: asNumber })
  attempt!: number;

  /** The attempt of the job that the fence was granted to. */
  @Column({ name: 'job_attempt', type: 'int' })
  jobAttempt!: number;

  @Column('text')
  unit!: string;

  @Column('text')
  pool!: string;

  @Column({ name: 'media_id', type: 'text' })
  mediaId!: string;

  /** The job that writes it, or wrote it last; null where that is not known. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  job!: number | null;

  @Column({ name: 'begun_at', type: 'timestamptz', default: () => 'now()' })
  begunAt!: Date;

  /** The fence under which it was last counted complete; null if it never was. */
  @Column({ name: 'completed_attempt', type: 'bigint', nullable: true, transformer: asNumber })
  completedAttempt!: number | null;

  /** The era in which the fence was granted; null where that is not known. See `NEXT_FENCE`. */
  @Column({ name: 'granted_in', type: 'text', nullable: true })
  grantedIn!: string | null;
}
