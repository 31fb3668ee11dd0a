import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ImageDetails, ImageKind } from '#contracts/names.js';
import { asNumber } from '../numbers.js';

/** The result of one backup. Its state is nowhere: it is counted from its fragments. */
@Entity({ name: 'image' })
@Index('image_number', ['number'], { unique: true })
@Index('image_job', ['job'], { unique: true, where: 'abandoned_at IS NULL' })
@Index('image_of_job', ['job', 'number'])
@Index('image_client_time', ['client', 'backupTime'], { unique: true })
@Index('image_time', ['backupTime', 'imageId'])
@Index('image_expires', ['expiresAt', 'imageId'])
@Index('image_base', ['baseImageId'])
@Index('image_group', ['client', 'policy', 'group'], { where: 'run_group IS NOT NULL' })
@Index('image_keyword', ['keyword', 'backupTime'], { where: 'keyword IS NOT NULL' })
export class ImageRow {
  @PrimaryColumn({ name: 'image_id', type: 'text' })
  imageId!: string;

  /** Stands for the image in the file tables, where an id would take a third of each row. */
  @Column({
    type: 'bigint',
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    transformer: asNumber,
  })
  number!: number;

  @Column('text')
  client!: string;

  @Column('text')
  policy!: string;

  @Column('text')
  schedule!: string;

  @Column('text')
  kind!: ImageKind;

  /** Null for an image that was imported: its job is another cluster's. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  job!: number | null;

  /** Unix seconds. */
  @Column({ name: 'backup_time', type: 'bigint', transformer: asNumber })
  backupTime!: number;

  @Column('text')
  retention!: string;

  /** Null: it never expires by itself. */
  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'text', nullable: true })
  keyword!: string | null;

  /** The parent job of the run, where that has several streams; null for a backup that stands alone. */
  @Column({ name: 'run_group', type: 'bigint', nullable: true, transformer: asNumber })
  group!: number | null;

  /** How many streams the run has, where it is known. */
  @Column({ name: 'group_streams', type: 'int', nullable: true })
  groupStreams!: number | null;

  @Column({ name: 'base_image_id', type: 'text', nullable: true })
  baseImageId!: string | null;

  /** Of a synthetic full: the newest of the images that it was made from, whose state and listing it shares. */
  @Column({ name: 'synthetic_of', type: 'text', nullable: true })
  syntheticOf!: string | null;

  /** Images that a restore reads, this one included. */
  @Column({ name: 'chain_length', type: 'int' })
  chainLength!: number;

  /** As they were given. */
  @Column({ type: 'text', array: true })
  selections!: string[];

  /** Sorted, each once: equal for images that can build on each other. */
  @Column({ name: 'selection_set', type: 'text', array: true })
  selectionSet!: string[];

  @Column({ name: 'begun_at', type: 'timestamptz' })
  begunAt!: Date;

  /** Null until the backup has said what it wrote. */
  @Column({ name: 'finished_at', type: 'timestamptz', nullable: true })
  finishedAt!: Date | null;

  @Column({ name: 'fragments_expected', type: 'int', nullable: true })
  fragmentsExpected!: number | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  files!: number | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  bytes!: number | null;

  /** Its job ended without it. Nothing is deleted by that. */
  @Column({ name: 'abandoned_at', type: 'timestamptz', nullable: true })
  abandonedAt!: Date | null;
}

/** An image as it is made; the table gives it its number. */
export type NewImage = Omit<ImageRow, 'number'>;

/** What manifests carry of an image. */
export function detailsOf(image: NewImage): ImageDetails {
  const { job, schedule, retention, selections, baseImageId } = image;
  const { keyword, group, groupStreams, syntheticOf } = image;
  return {
    ...{ job: job ?? 0, schedule, retention, selections, baseImageId },
    ...(keyword === null ? {} : { keyword }),
    ...(group === null ? {} : { group }),
    ...(groupStreams === null ? {} : { groupStreams }),
    ...(syntheticOf === null ? {} : { syntheticOf }),
  };
}
