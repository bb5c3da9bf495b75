import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("venues", "0001_initial")]

    operations = [
        # Never filled until now.
        migrations.DeleteModel("Tier"),
        migrations.RenameModel("PriceFeed", "Feed"),
        migrations.CreateModel(
            name='AnnouncedChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('change', models.JSONField(default=dict)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('effective_at', models.DateTimeField()),
                ('entered_at', models.DateTimeField()),
                ('entered_by', models.CharField(blank=True, max_length=150)),
                ('applied_at', models.DateTimeField(null=True)),
                ('cancelled_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Candle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_at', models.DateTimeField()),
                ('open', models.FloatField()),
                ('high', models.FloatField()),
                ('low', models.FloatField()),
                ('close', models.FloatField()),
                ('volume', models.FloatField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Depth',
            fields=[
                ('market', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='latest_depth', serialize=False, to='venues.market')),
                ('bids', models.JSONField(default=list)),
                ('asks', models.JSONField(default=list)),
                ('venue_time', models.DateTimeField(null=True)),
                ('received_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='HostBan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('venue', models.CharField(max_length=40)),
                ('environment', models.CharField(blank=True, max_length=300)),
                ('begun_at', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('reason', models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name='KeyCheck',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='key_check', serialize=False, to='venues.account')),
                ('facts', models.JSONField(default=dict)),
                ('findings', models.JSONField(default=list)),
                ('checked_at', models.DateTimeField(null=True)),
                ('next_at', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name='MarketChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('source', models.CharField(default='venue', max_length=8)),
                ('before', models.JSONField(default=dict)),
                ('after', models.JSONField(default=dict)),
                ('noticed_at', models.DateTimeField()),
                ('effective_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Tier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('floor', models.FloatField()),
                ('rate', models.FloatField()),
                ('amount', models.FloatField(default=0.0)),
                ('max_leverage', models.FloatField(null=True)),
            ],
            options={
                'ordering': ['table_id', 'floor'],
            },
        ),
        migrations.CreateModel(
            name='TierTable',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=40)),
                ('source', models.CharField(default='venue', max_length=8)),
                ('effective_at', models.DateTimeField()),
                ('received_at', models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='feed',
            name='price_feed_once',
        ),
        migrations.AddField(
            model_name='coverageentry',
            name='standings',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='feed',
            name='kind',
            field=models.CharField(choices=[('prices', 'Prices'), ('funding', 'Funding'), ('rules', 'Rules'), ('candles', 'Candles'), ('depth', 'Depth')], default='prices', max_length=8),
        ),
        migrations.AddField(
            model_name='market',
            name='delists_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='market',
            name='funding_interval_h',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='market',
            name='is_active',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='market',
            name='max_contracts',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='market',
            name='max_leverage',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='market',
            name='min_contracts',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='market',
            name='min_notional',
            field=models.FloatField(null=True),
        ),
        migrations.AddConstraint(
            model_name='feed',
            constraint=models.UniqueConstraint(fields=('venue', 'environment', 'kind'), name='feed_once'),
        ),
        migrations.AddField(
            model_name='announcedchange',
            name='market',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='announced_changes', to='venues.market'),
        ),
        migrations.AddField(
            model_name='candle',
            name='market',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='candles', to='venues.market'),
        ),
        migrations.AddConstraint(
            model_name='hostban',
            constraint=models.UniqueConstraint(fields=('venue', 'environment'), name='host_ban_once'),
        ),
        migrations.AddField(
            model_name='marketchange',
            name='market',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='venues.market'),
        ),
        migrations.AddField(
            model_name='tiertable',
            name='market',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tier_tables', to='venues.market'),
        ),
        migrations.AddField(
            model_name='tier',
            name='table',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tiers', to='venues.tiertable'),
        ),
        migrations.AddField(
            model_name='market',
            name='tier_table',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='venues.tiertable'),
        ),
        migrations.AddConstraint(
            model_name='candle',
            constraint=models.UniqueConstraint(fields=('market', 'opened_at'), name='candle_once'),
        ),
        migrations.AddIndex(
            model_name='marketchange',
            index=models.Index(fields=['-noticed_at'], name='market_change_by_time'),
        ),
        migrations.AddConstraint(
            model_name='tiertable',
            constraint=models.UniqueConstraint(fields=('market', 'version'), name='tier_version_once'),
        ),
        migrations.AddConstraint(
            model_name='tier',
            constraint=models.UniqueConstraint(fields=('table', 'floor'), name='tier_floor_once'),
        ),
        migrations.AddField(
            model_name='quote',
            name='funding_received_at',
            field=models.DateTimeField(null=True),
        ),
    ]
