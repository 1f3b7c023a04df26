"""The same work as tutorials write it: ORM entities, lazy relations, jsonify. Served with gunicorn's defaults.

It reads and writes Fastier's own tables, so that both sides do the same work on the same rows.
"""

import hashlib
import os
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from flask import Flask, abort, jsonify, request
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker
from uuid_utils.compat import uuid7

from fastier import positions


class Base(DeclarativeBase):
    """The tutorial's own entities."""


class Token(Base):
    __tablename__ = "tokens"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    user: Mapped["User"] = relationship()


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    memberships: Mapped[list["Member"]] = relationship()


class Member(Base):
    __tablename__ = "members"
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str]


class Workspace(Base):
    __tablename__ = "workspaces"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int]


class List(Base):
    __tablename__ = "lists"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    workspace: Mapped[Workspace] = relationship()


class ItemTag(Base):
    __tablename__ = "item_tags"
    item_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    workspace_id: Mapped[UUID]
    tag: Mapped["Tag"] = relationship()


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]
    name: Mapped[str]
    folded: Mapped[str]
    revision: Mapped[int]


class Item(Base):
    __tablename__ = "items"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]
    list_id: Mapped[UUID] = mapped_column(ForeignKey("lists.id"))
    title: Mapped[str]
    notes: Mapped[str]
    priority: Mapped[int]
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    due_timezone: Mapped[str | None]
    completed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    position: Mapped[str]
    revision: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    item_tags: Mapped[list[ItemTag]] = relationship()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "list_id": str(self.list_id),
            "title": self.title,
            "notes": self.notes,
            "priority": self.priority,
            "tags": [link.tag.name for link in self.item_tags],
            "due": {"date": self.due_date.isoformat()} if self.due_date else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "position": self.position,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "revision": self.revision,
        }


app = Flask(__name__)
Session = sessionmaker(create_engine(os.environ["DATABASE_URL"]))


def _list_of_the_user(session: Any, list_id: UUID) -> List:
    token = request.headers["Authorization"].removeprefix("Bearer ")
    found = session.scalar(select(Token).where(Token.digest == hashlib.sha256(token.encode()).digest()))
    wanted: List | None = session.get(List, list_id)
    if found is None or wanted is None:
        abort(404)
    if wanted.workspace_id not in [member.workspace_id for member in found.user.memberships]:
        abort(404)
    return wanted


@app.get("/api/v1/lists/<uuid:list_id>/items")
def page(list_id: UUID) -> Any:
    with Session() as session:
        wanted = _list_of_the_user(session, list_id)
        items = session.scalars(
            select(Item)
            .where(Item.list_id == wanted.id, Item.deleted_at.is_(None), Item.completed_at.is_(None))
            .order_by(Item.position, Item.id)
            .limit(int(request.args.get("limit", 50)))
        )
        return jsonify({"data": [item.to_dict() for item in items]})


@app.post("/api/v1/lists/<uuid:list_id>/items")
def create(list_id: UUID) -> Any:
    body = request.get_json()
    with Session() as session:
        wanted = _list_of_the_user(session, list_id)
        workspace = session.scalars(
            select(Workspace).where(Workspace.id == wanted.workspace_id).with_for_update()
        ).one()
        workspace.revision += 1
        item = Item(
            id=uuid7(),
            workspace_id=wanted.workspace_id,
            list_id=wanted.id,
            title=body["title"],
            notes="",
            priority=4,
            position=positions.last(workspace.revision),
            revision=workspace.revision,
        )
        session.add(item)
        session.flush()
        for name in body["tags"]:
            tag = session.scalar(select(Tag).where(Tag.workspace_id == item.workspace_id, Tag.folded == name.lower()))
            item.item_tags.append(ItemTag(tag=tag, workspace_id=item.workspace_id))
        session.commit()
        return jsonify(item.to_dict()), 201
