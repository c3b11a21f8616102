import random
import time
import uuid

from locust import FastHttpUser, HttpUser, TaskSet, between, constant, task

CATEGORIES = ["books", "music"]


class Shopper(HttpUser):
    weight = 3
    wait_time = between(1, 5)

    def on_start(self):
        answer = self.client.post("/login", json={"username": "foo", "password": "bar"})
        self.token = answer.json()["access_token"]
        self.client.headers.update({"Authorization": f"Bearer {self.token}"})

    @task
    def hello_world(self):
        self.client.get("/hello")
        self.client.get("/world")

    @task(3)
    def view_items(self):
        for item_id in range(10):
            self.client.get(f"/item?id={item_id}", name="/item")
            time.sleep(1)

    @task(2)
    def browse(self):
        user_id = random.randint(1, 500)
        self.client.get(f"/users/{user_id}/{random.choice(CATEGORIES)}", params={"again": user_id})
        if random.random() < 0.5:
            self.client.get("/maybe")

    @task
    def create(self):
        item = {"name": f"item {uuid.uuid4()}", "tags": None, "price": random.randint(1, 9)}
        with self.client.post("/items", json=item, catch_response=True) as answer:
            if answer.status_code != 201:
                answer.failure("not made")
            made = answer.json()["id"]
        self.client.delete("/items/%s" % made, name="/items/[id]")


class Reader(FastHttpUser):
    wait_time = constant(1)

    @task
    class Posts(TaskSet):
        @task
        def search(self):
            self.client.post("/search", data={"q": "tea"}, headers={"Accept": "text/html"})

        @task
        def upload(self):
            self.client.post("/files", files={"file": open("x", "rb")})
