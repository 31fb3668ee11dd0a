import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * The folders of each client, once for all of its images. Paths as path text, the root empty. An index
 * row of PostgreSQL holds 2,704 bytes and a path more, so one index holds digests, to find a path, and
 * one the first 500 characters, to go through paths in order.
 */
@Entity({ name: 'directory' })
@Index('directory_client_digest', ['client', 'digest'], { unique: true })
@Index('directory_client_head', { synchronize: false })
export class DirectoryRow {
  @PrimaryColumn({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  id!: string;

  @Column({ type: 'text' })
  client!: string;

  @Column({ type: 'text', collation: 'C' })
  path!: string;

  /** See `directoryDigest`. */
  @Column({ type: 'bytea' })
  digest!: Buffer;
}

/**
 * A name that some image has or had in a folder. The root of the file system has the root as its
 * directory and an empty name. Each is there before the first page that holds it, and stays.
 */
@Entity({ name: 'file_name' })
export class FileNameRow {
  @PrimaryColumn({ name: 'directory_id', type: 'bigint' })
  directoryId!: string;

  @PrimaryColumn({ type: 'text', collation: 'C' })
  name!: string;
}

/** A block of the file trees of a client's images (see `TreeBlock`). Never changed. */
@Entity({ name: 'file_block' })
export class FileBlockRow {
  @PrimaryColumn('uuid')
  digest!: string;

  @PrimaryColumn('text')
  client!: string;

  /** Its text, compressed by Zstandard. */
  @Column('bytea')
  body!: Buffer;
}

/**
 * What the index of one fragment says: a tree, and another one for each time that its entries went
 * against their order. Images from before there were trees have one with the fragment 0, for all they had.
 */
@Entity({ name: 'file_tree' })
export class FileTreeRow {
  /** `image.number`. */
  @PrimaryColumn({ name: 'image_number', type: 'bigint' })
  imageNumber!: string;

  /** Digest of a block of the image's client. */
  @Column('uuid')
  root!: string;

  @Column('bigint')
  entries!: string;

  /** `fragment.number`, whatever the copy. */
  @PrimaryColumn('int')
  fragment!: number;

  @PrimaryColumn('int')
  part!: number;

  /** Levels of blocks below the root. */
  @Column('int')
  height!: number;

  /** See `pathFilter`; null for a large tree. */
  @Column({ type: 'bytea', nullable: true })
  filter!: Buffer | null;
}

/** A client some of whose blocks may have no tree any more. */
@Entity({ name: 'file_sweep' })
export class FileSweepRow {
  @PrimaryColumn('text')
  client!: string;

  @Column({ name: 'asked_at', type: 'timestamptz', default: () => 'now()' })
  askedAt!: Date;
}

/** What a sweep has come upon. Empty but inside its transaction, so nothing is lost with it in a crash. */
@Entity({ name: 'file_reached' })
export class FileReachedRow {
  @PrimaryColumn('text')
  client!: string;

  @PrimaryColumn('uuid')
  digest!: string;
}
