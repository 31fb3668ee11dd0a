import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A volume that a media server has shown. Kept until somebody gives it up. */
@Entity({ name: 'media_volume' })
export class MediaVolumeRow {
  @PrimaryColumn({ name: 'media_id', type: 'text' })
  mediaId!: string;

  @PrimaryColumn({ name: 'volume_id', type: 'uuid' })
  volumeId!: string;

  /** Since when its media server has not shown it; null while it does. */
  @Column({ name: 'away_since', type: 'timestamptz', nullable: true })
  awaySince!: Date | null;

  /** Where it was when its media server showed it last; null where that did not say so. */
  @Column({ type: 'text', nullable: true })
  pool!: string | null;

  @Column({ type: 'text', nullable: true })
  path!: string | null;
}
