from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    posts: Mapped[list["Post"]] = relationship(back_populates="author", order_by="Post.id")

    def to_json(self):
        return {"id": self.id, "name": self.name, "email": self.email}

    def to_json_with_posts(self):
        posts = [{"id": post.id, "title": post.title} for post in self.posts]
        return {**self.to_json(), "posts": posts}


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    author: Mapped[User] = relationship(back_populates="posts")

    def to_json(self):
        author = {"id": self.author.id, "name": self.author.name}
        return {"id": self.id, "title": self.title, "body": self.body, "author": author}


class StoredSession(Base):
    __tablename__ = "stored_sessions"

    key: Mapped[str] = mapped_column(String(43), primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    expires: Mapped[datetime] = mapped_column(DateTime(timezone=True))
