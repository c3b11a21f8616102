from books import views
from django.contrib.auth.views import LoginView
from django.urls import path

urlpatterns = [
    path("", views.shelf),
    path("login/", LoginView.as_view()),
    path("books/<int:pk>/", views.book),
]
