import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigInteger } from './big-integer.js';

@Entity('storage_unit')
export class StorageUnitEntity {
  @PrimaryColumn('text')
  name!: string;

  @Column('text', { name: 'media_id' })
  mediaId!: string;

  @Column('text')
  pool!: string;

  @Column('integer', { name: 'jobs_max' })
  jobsMax!: number;

  @Column('bigint', { name: 'fragment_bytes_max', transformer: bigInteger })
  fragmentBytesMax!: number;
}
