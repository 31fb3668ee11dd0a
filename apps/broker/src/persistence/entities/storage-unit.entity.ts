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

  @Column('integer', { name: 'high_water_percent', default: 98 })
  highWaterPercent!: number;

  @Column('integer', { name: 'low_water_percent', default: 80 })
  lowWaterPercent!: number;

  @Column('boolean', { name: 'on_demand_only', default: false })
  onDemandOnly!: boolean;

  @Column('integer', { name: 'max_streams_per_drive', default: 1 })
  maxStreamsPerDrive!: number;

  @Column('boolean', { default: false })
  drained!: boolean;

  /** Stored, since it depends on which water mark was crossed last. */
  @Column('boolean', { name: 'is_full', default: false })
  full!: boolean;

  /** The higher, the later it was chosen out of a group. */
  @Column('bigint', { default: 0, transformer: bigInteger })
  chosen!: number;
}
