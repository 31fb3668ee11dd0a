import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { asNumber } from '../numbers.js';

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
 * One entry of one image: a line of its index. The root of the file system has the root as its
 * directory and an empty name. Rows are written by COPY and read by SQL only.
 */
@Entity({ name: 'file_version' })
@Index('file_version_name', ['name', 'imageNumber'])
export class FileVersionRow {
  /** `image.number`. */
  @PrimaryColumn({ name: 'image_number', type: 'bigint' })
  imageNumber!: string;

  @PrimaryColumn({ name: 'directory_id', type: 'bigint' })
  directoryId!: string;

  @Column({ type: 'bigint', transformer: asNumber })
  size!: number;

  /** Nanoseconds since 1970. No `bigint`: that ends in the year 2262, and file systems do not. */
  @Column({ name: 'mtime_ns', type: 'numeric' })
  mtimeNs!: string;

  @Column({ type: 'bigint', transformer: asNumber })
  uid!: number;

  @Column({ type: 'bigint', transformer: asNumber })
  gid!: number;

  /** Null for what was deleted since the base image. */
  @Column({ name: 'archive_offset', type: 'bigint', nullable: true, transformer: asNumber })
  archiveOffset!: number | null;

  @Column({ name: 'archive_length', type: 'bigint', nullable: true, transformer: asNumber })
  archiveLength!: number | null;

  @Column('smallint')
  mode!: number;

  @PrimaryColumn({ type: 'text', collation: 'C' })
  name!: string;

  @Column({ type: 'text', collation: 'C' })
  type!: string;

  @Column({ type: 'text', collation: 'C' })
  flags!: string;

  /** Column 11 of the index. */
  @Column({ type: 'text', collation: 'C' })
  extra!: string;
}
