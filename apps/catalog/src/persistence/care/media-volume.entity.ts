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
}
