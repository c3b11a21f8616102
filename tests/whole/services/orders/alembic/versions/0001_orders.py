import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    orders = op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("cents", sa.Integer, nullable=False),
    )
    op.bulk_insert(orders, [{"customer": "ann", "cents": 100 * n} for n in range(1, 51)])
